// The word that a domain waits for: it becomes ours as if its message had brought it, or it is refused for good.
//
// In      a name that is pending, who says it
// Out     approved: the domain's entries, with the evidence that was found, and no tombstone of the name; refused: a tombstone. The
//         pending entry goes in the same transaction
// Errors  not-found for a name that is not pending

import { Failure } from '../../base/failure.ts';
import { type Operation, operation, type Transaction } from '../../database/operation.ts';
import type { Caller } from '../../directory/caller.ts';
import { findEntryIn } from '../../directory/entries.ts';
import type { DirectoryChange } from '../../directory/entry.ts';
import { stateIn } from '../../routing/generation.ts';
import { settingsIn } from '../../routing/setting-rows.ts';
import { newDomain } from '../arrival/new-domain.ts';
import { applyAll, type ChangeSummary } from '../change.ts';
import { tombstoneAddition, tombstoneDn } from '../tombstones.ts';
import { ANY_SITE, type ChangeSite } from '../write-options.ts';
import { evidenceOf, findPendingIn, type PendingDomain, pendingDn } from './entries.ts';

export interface DecideArguments {
  readonly domain: string;
  readonly caller: Caller;
  readonly now: number;
  /** Do all of it, report it, and undo it. */
  readonly dryRun?: boolean;
}

export function decideOperations(writeSite: ChangeSite) {
  return [
    decideOperation('provisioning.approve-domain', writeSite, async (tx, pending) => {
      const { domain, evidence } = pending;
      const tombstone = await findEntryIn(tx, tombstoneDn(domain));
      return {
        changes: [
          await domainAddition(tx, pending, writeSite),
          ...(tombstone === undefined ? [] : [{ kind: 'delete', dn: tombstone.dn } as const]),
        ],
        broughtBy: { evidence },
      };
    }),
    decideOperation('provisioning.refuse-domain', writeSite, async (tx, { domain }) => {
      const isRefused = (await findEntryIn(tx, tombstoneDn(domain))) !== undefined;
      return { changes: isRefused ? [] : [tombstoneAddition(domain)] };
    }),
  ] as const;
}

interface Decided {
  readonly changes: readonly DirectoryChange[];
  readonly broughtBy?: { readonly evidence: string };
}

function decideOperation(
  name: string,
  site: ChangeSite,
  decide: (tx: Transaction, pending: PendingDomain) => Promise<Decided>,
): Operation<DecideArguments, ChangeSummary> {
  return operation(name, async (tx, { domain, caller, now, dryRun }): Promise<ChangeSummary> => {
    const pending = await findPendingIn(tx, domain);
    if (pending === undefined) throw new Failure('not-found', `${domain} is not pending`);
    const { changes, ...brought } = await decide(tx, pending);
    const all = [...changes, { kind: 'delete', dn: pendingDn(domain) } as const];
    const summary = await applyAll(tx, all, caller, { now, site, ...brought });
    return dryRun === true ? tx.rollbackWith(summary) : summary;
  });
}

/** By the policy that has made it wait, as that stands now; where it is gone the domain above alone says what it is. */
async function domainAddition(tx: Transaction, pending: PendingDomain, site: ChangeSite): Promise<DirectoryChange> {
  const { domain } = pending;
  const { generation } = await stateIn(tx);
  const policies = (await settingsIn(tx, generation)).filter((row) => row.kind === 'policy');
  const policy = policies.find(({ name }) => name === pending.policy)?.dn ?? '';
  const { mx } = evidenceOf(pending);
  return newDomain(tx, { domain, policy, evidence: { mx: Array.isArray(mx) ? mx.map(String) : [] } }, site);
}

/** For who posts them. */
export const [approveDomain, refuseDomain] = decideOperations(ANY_SITE);
