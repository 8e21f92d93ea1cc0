// The transaction in which a message's domain is made: the entry with all that follows from it, or nothing.
//
// In      the domain, the policy that has decided and what was found; the recipient, and who asks
// Out     `there` with the state of the domain; or why nothing was made
// Order   there already -> policy, as it stands now -> tombstone -> limits -> entry -> the recipient, over the rows of this very
//         transaction: a permanent refusal undoes all
// Twenty messages for one name make it once: who comes second finds it there

import type { Revision } from '../../base/ids.ts';
import { isPermanent, type Reply } from '../../base/reply.ts';
import { TENANT } from '../../base/tenant.ts';
import { type Operation, operation, type Transaction } from '../../database/operation.ts';
import { SERVER } from '../../directory/caller.ts';
import { dcDnOfDomain } from '../../directory/dn.ts';
import { findEntryIn } from '../../directory/entries.ts';
import type { Address } from '../../message/address.ts';
import type { PolicyRow } from '../../routing/compile-policy.ts';
import { stateIn } from '../../routing/generation.ts';
import type { Site } from '../../routing/resolve.ts';
import { LoadedTables, resolveIn } from '../../routing/resolve-in.ts';
import type { RouteRequest } from '../../routing/route-request.ts';
import type { RouteRow } from '../../routing/rows.ts';
import { settingsIn } from '../../routing/setting-rows.ts';
import { settingsOf } from '../../routing/settings.ts';
import { routeIn } from '../../routing/tables.ts';
import { decidePolicy } from '../../routing/walk/arrival.ts';
import { applyAll } from '../change.ts';
import { countAllArrivals, countArrivals, noteArrival } from '../tables.ts';
import { tombstoneOfIn } from '../tombstones.ts';
import type { ChangeSite } from '../write-options.ts';
import type { DomainEvidence } from './evidence.ts';
import { NEW_DOMAINS_OF_SITE, NEW_DOMAINS_PER_PEER, NEW_DOMAINS_WINDOW_MS } from './limits.ts';
import { newDomain } from './new-domain.ts';

export interface MakeArguments {
  readonly domain: string;
  readonly policy: PolicyRow;
  readonly evidence: DomainEvidence;
  /** The recipient that the message names, and who asks for it. */
  readonly address: Address;
  readonly request: RouteRequest;
  readonly now: number;
}

/** `coming`: it takes mail once its record has been observed. `served`: its record is in a zone of ours. `seen`: it is somebody else's. */
type NewState = 'served' | 'seen' | 'coming';

export type MakeResult =
  /** `made` is empty when the domain was there already. */
  | {
      readonly result: 'there';
      readonly made: readonly string[];
      readonly revision: Revision;
      readonly state: NewState;
    }
  /** What the new domain would say to this recipient, for good. */
  | { readonly result: 'no-recipient'; readonly reply: Reply }
  /** `changed`: the policies are not what they were when it was looked up. */
  | { readonly result: 'too-many' | 'removed' | 'changed' };

export function makeOperation(site: Site, changeSite: ChangeSite): Operation<MakeArguments, MakeResult> {
  return operation('provisioning.arrive', async (tx, args): Promise<MakeResult> => {
    const { domain, policy, evidence, address, request, now } = args;
    const { generation } = await stateIn(tx);
    const known = await routeIn(tx, generation, domain);
    if (known !== null) return { result: 'there', made: [], revision: tx.revision, state: await stateOf(tx, known) };
    const routes = await routesAbove(tx, generation, domain);
    const routeOf = (name: string): RouteRow | null => routes.get(name) ?? null;
    const settings = settingsOf(await settingsIn(tx, generation), site.fileRules);
    const today = decidePolicy(domain, { settings, routeOf }, site);
    if (!today.some((each) => JSON.stringify(each) === JSON.stringify(policy))) return { result: 'changed' };
    if ((await tombstoneOfIn(tx, domain)) !== undefined) return { result: 'removed' };
    if (!(await isWithinLimits(tx, { domain, peer: evidence.peer, now }))) return { result: 'too-many' };
    const change = await newDomain(tx, { domain, policy: policy.dn, evidence }, changeSite);
    const broughtBy = { evidence: JSON.stringify(evidence) };
    const summary = await applyAll(tx, [change], SERVER, { now, site: changeSite, broughtBy });
    const { isComing, ...route } = (await routeIn(tx, generation, domain))!;
    // As if it were active: a recipient that it will never have makes no domain.
    const loaded = new LoadedTables();
    loaded.routes.set(domain, route);
    const { reply } = await resolveIn(tx, address, request, site, loaded);
    if (isPermanent(reply)) return tx.rollbackWith<MakeResult>({ result: 'no-recipient', reply });
    const made = summary.entries.map(({ dn }) => dn);
    return {
      result: 'there',
      made,
      revision: summary.revision,
      state: await stateOf(tx, { ...route, ...(isComing && { isComing }) }),
    };
  });
}

async function routesAbove(tx: Transaction, generation: number, domain: string): Promise<Map<string, RouteRow>> {
  const routes = new Map<string, RouteRow>();
  const labels = domain.split('.');
  for (let at = 1; at < labels.length; at++) {
    const name = labels.slice(at).join('.');
    const route = await routeIn(tx, generation, name);
    if (route !== null) routes.set(name, route);
  }
  return routes;
}

/** Counts this one where there is room for it. */
export async function isWithinLimits(
  tx: Transaction,
  { domain, peer, now }: { readonly domain: string; readonly peer: string; readonly now: number },
): Promise<boolean> {
  const since = now - NEW_DOMAINS_WINDOW_MS;
  if ((await countArrivals(tx, TENANT, peer, since)) >= NEW_DOMAINS_PER_PEER) return false;
  if ((await countAllArrivals(tx, TENANT, since)) >= NEW_DOMAINS_OF_SITE) return false;
  await noteArrival(tx, { tenant: TENANT, peer, at: now, domain }, since);
  return true;
}

async function stateOf(tx: Transaction, { domain, isComing }: RouteRow): Promise<NewState> {
  if (isComing === true) return 'coming';
  const entry = await findEntryIn(tx, dcDnOfDomain(domain));
  return entry?.attributes.has('waypostdomainstate') ? 'seen' : 'served';
}
