// What to do about a set of records that a server does not have as it should: one sentence.

import { RESOLVER, type ServerFinding, type WantedSet, worstOf } from '../../publishing/compare.ts';
import { recordText } from '../../wire/dns/text.ts';
import type { ZoneStanding } from '../../zones/authority.ts';

export function hintOf(
  set: WantedSet,
  servers: readonly ServerFinding[],
  at: { readonly domain: string; readonly standing: ZoneStanding; readonly zone: string | null },
): string {
  const { domain, zone } = at;
  const { authority } = at.standing;
  const state = worstOf(servers.map((each) => each.state));
  const named = servers.filter((each) => each.state === state);
  const where = named.map(({ server }) => server).join(', ');
  if (state === 'ok') return 'nothing to do';
  if (state === 'unknown') return `no answer that counts from ${where}: see that it can be asked, and check again`;
  const isBehind = servers.some(({ server, state: at }) => server !== RESOLVER && at === 'ok') && where === RESOLVER;
  if (isBehind)
    return `the name servers of ${zone} have it, the resolver does not yet: see the delegation, or wait for its cache`;
  if (authority === 'ours') {
    return where.includes(RESOLVER)
      ? `have ${zone} delegated to our name servers; the records are ours already`
      : `${where} should answer as our name server does: see that it has the zone as it is now`;
  }
  const lines = set.records.map(recordText).join(' and ');
  const found = [...new Set(named.flatMap((each) => each.found))].join(' and ');
  if (authority === 'updatable') {
    if (where === RESOLVER)
      return `nobody says who answers for ${zone}: have it delegated, or name one in waypostWatchAddress of its primary`;
    return state === 'missing'
      ? `waypost dns publish ${domain} writes it there now`
      : `others have written ${found}: waypost dns publish ${domain} --force puts ours in its place`;
  }
  if (state === 'missing') return `add to the zone: ${lines}`;
  if (state === 'different') return `in the zone put ${lines} in the place of ${found}`;
  return `take out of the zone what is there beside ${lines}`;
}
