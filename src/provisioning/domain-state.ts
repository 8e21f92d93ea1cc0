// How far a domain whose records somebody else's name servers have has come: written by the server alone.
//
// In      a domain, and the step that was seen
// Out     its entry with that state; as it was where it is there already, or further, or has no state at all
// States  defined -> published -> active, never back

import type { Transaction } from '../database/operation.ts';
import { SERVER } from '../directory/caller.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import { findEntryIn } from '../directory/entries.ts';
import { textValue } from '../directory/entry.ts';
import { applyAll } from './change.ts';
import type { ChangeSite } from './write-options.ts';

const DOMAIN_STATES: readonly string[] = ['defined', 'published', 'active'];
export type DomainState = 'defined' | 'published' | 'active';

export interface ReachedState {
  readonly domain: string;
  readonly state: DomainState;
  readonly now: number;
  readonly site: ChangeSite;
}

/** True when it was another one before. */
export async function reachState(tx: Transaction, { domain, state, now, site }: ReachedState): Promise<boolean> {
  const entry = await findEntryIn(tx, dcDnOfDomain(domain));
  const before = entry && textValue(entry, 'waypostdomainstate');
  if (entry === undefined || before === undefined) return false;
  const isLater = DOMAIN_STATES.indexOf(state) > DOMAIN_STATES.indexOf(before);
  if (!isLater) return false;
  const reached = { operation: 'replace' as const, attribute: 'waypostDomainState', values: [state] };
  await applyAll(tx, [{ kind: 'modify', dn: entry.dn, modifications: [reached] }], SERVER, {
    now,
    site,
    ofServer: true,
  });
  return true;
}
