// The word that a domain waits for: it becomes ours as if its message had brought it, or it is refused for good.
//
// In      a name that is pending, who says it
// Out     approved: the domain's entries, with the evidence that was found, and no tombstone of the name; refused: a tombstone. The
//         pending entry goes in the same transaction
// Errors  not-found for a name that is not pending

import { Failure } from '../../base/failure.ts';
import { type Operation, operation, type Transaction } from '../../database/operation.ts';
import type { Caller } from '../../directory/caller.ts';
import { dcDnOfDomain } from '../../directory/dn.ts';
import { findEntryIn } from '../../directory/entries.ts';
import type { DirectoryChange } from '../../directory/entry.ts';
import { stateIn } from '../../routing/generation.ts';
import type { Site } from '../../routing/resolve.ts';
import { routeIn } from '../../routing/tables.ts';
import { applyAll, type ChangeSummary } from '../change.ts';
import { isOurs } from '../evidence.ts';
import { tombstoneAddition, tombstoneDn } from '../tombstones.ts';
import type { ChangeSite } from '../write-options.ts';
import { evidenceOf, findPendingIn, type PendingDomain, pendingDn } from './entries.ts';

export interface DecideArguments {
  readonly domain: string;
  readonly caller: Caller;
  readonly now: number;
  /** Do all of it, report it, and undo it. */
  readonly dryRun?: boolean;
}

export function decideOperations(site: Site, writeSite: ChangeSite) {
  return [
    decideOperation('provisioning.approve-domain', writeSite, async (tx, pending) => {
      const { domain, evidence } = pending;
      const tombstone = await findEntryIn(tx, tombstoneDn(domain));
      return {
        changes: [
          await domainAddition(tx, pending, site),
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

async function domainAddition(tx: Transaction, pending: PendingDomain, site: Site): Promise<DirectoryChange> {
  const { domain } = pending;
  const catchall = await catchallAbove(tx, domain);
  const exchanges = otherExchanges(pending, site);
  return {
    kind: 'add',
    dn: dcDnOfDomain(domain),
    attributes: [
      { name: 'objectClass', values: ['domain', 'inetDomain', 'mailDomain'] },
      { name: 'dc', values: [domain.slice(0, domain.indexOf('.'))] },
      ...(catchall === undefined ? [] : [{ name: 'mailDomainCatchallAddress', values: [catchall] }]),
      ...(exchanges.length === 0 ? [] : [{ name: 'mXRecord', values: exchanges }]),
    ],
  };
}

async function catchallAbove(tx: Transaction, domain: string): Promise<string | undefined> {
  const { generation } = await stateIn(tx);
  const labels = domain.split('.');
  for (let at = 1; at < labels.length; at++) {
    const route = await routeIn(tx, generation, labels.slice(at).join('.'));
    if (route !== null) return route.catchall;
  }
  return undefined;
}

function otherExchanges(pending: PendingDomain, site: Site): string[] {
  const { mx } = evidenceOf(pending);
  if (!Array.isArray(mx)) return [];
  return mx.flatMap((each) => {
    const [preference, exchange] = String(each).split(' ');
    if (exchange === undefined || exchange === '' || exchange === '.' || isOurs(exchange, site)) return [];
    return [`${preference} ${exchange.endsWith('.') ? exchange : `${exchange}.`}`];
  });
}

/** For who posts them. */
export const [approveDomain, refuseDomain] = decideOperations(
  { tenant: 0, hostnames: [] },
  { hostname: 'localhost', mode: 'embedded' },
);
