// A set of records as it should be beside what a server says: their difference in one word, and what to do about it.
//
// In      the records that an entry wants; a server's answer
// Out     what was found, a state, a hint
// States  `ok`; `missing`, all or some; `different`, others instead; `extra`, others beside; `unknown`, no answer that counts
// Of texts those count that are of the same kind (`v=spf1`) as one that is wanted: a domain may have others for other purposes

import { asciiLower } from '../../base/characters.ts';
import type { DnsReply, Unavailable } from '../../net/dns-client.ts';
import { RCODE, type RecordType } from '../../wire/dns/codes.ts';
import type { Rdata, ResourceRecord } from '../../wire/dns/rdata.ts';
import { rdataText, recordText } from '../../wire/dns/text.ts';
import type { Authority } from '../../zones/authority.ts';
import { versionTag } from '../../zones/site-records.ts';

export type CheckState = 'ok' | 'missing' | 'different' | 'extra' | 'unknown';

export interface WantedSet {
  /** Lower case. */
  readonly name: string;
  readonly type: RecordType;
  readonly records: readonly ResourceRecord[];
}

export interface ServerFinding {
  /** `192.0.2.1:53`, or `resolver`. */
  readonly server: string;
  /** As in a zone file. */
  readonly found: readonly string[];
  readonly state: CheckState;
}

export const RESOLVER = 'resolver';

/** The worst first. What is wrong for certain comes before what nobody knows. */
const WORST: readonly CheckState[] = ['missing', 'different', 'extra', 'unknown', 'ok'];

export function worstOf(states: readonly CheckState[]): CheckState {
  return WORST.find((state) => states.includes(state)) ?? 'ok';
}

export function setsOf(records: readonly ResourceRecord[]): readonly WantedSet[] {
  const sets = new Map<string, ResourceRecord[]>();
  for (const record of records) {
    const key = `${record.name} ${record.type}`;
    const set = sets.get(key);
    if (set === undefined) sets.set(key, [record]);
    else set.push(record);
  }
  return [...sets.values()].map((set) => ({ name: set[0]!.name, type: set[0]!.type, records: set }));
}

export function compare(wanted: readonly string[], found: readonly string[]): CheckState {
  const isMissing = wanted.some((each) => !found.includes(each));
  const isExtra = found.some((each) => !wanted.includes(each));
  if (isMissing) return isExtra ? 'different' : 'missing';
  return isExtra ? 'extra' : 'ok';
}

/** Of a server that should have the zone itself only an authoritative answer counts. */
export function findingOf(
  set: WantedSet,
  reply: DnsReply | Unavailable,
  server: { readonly label: string; readonly isAuthoritative: boolean },
): ServerFinding {
  const { label } = server;
  if (!isAnswer(reply) || (server.isAuthoritative && !reply.authoritative))
    return { server: label, found: [], state: 'unknown' };
  const here = reply.answers.filter((record) => asciiLower(record.name) === set.name);
  const alias = here.find(({ type }) => type === 'CNAME');
  if (alias !== undefined && set.type !== 'CNAME')
    return { server: label, found: [`CNAME ${rdataText(alias)}`], state: 'different' };
  const wanted = set.records.map(comparable);
  const tags = new Set(set.records.flatMap((each) => tagOf(each) ?? []));
  const found = here
    .filter(({ type }) => type === set.type)
    .filter((each) => set.type !== 'TXT' || wanted.includes(comparable(each)) || tags.has(tagOf(each) ?? ''));
  return { server: label, found: found.map(rdataText), state: compare(wanted, found.map(comparable)) };
}

/** The server knows, whatever it says. */
export function isAnswer(reply: DnsReply | Unavailable): reply is DnsReply {
  return !('unavailable' in reply) && (reply.rcode === RCODE.NOERROR || reply.rcode === RCODE.NXDOMAIN);
}

/** Equal for equal records: names in lower case, a text whatever strings it is cut into. */
function comparable(rdata: Rdata): string {
  return rdata.type === 'TXT' ? rdata.strings.join('') : asciiLower(rdataText(rdata));
}

function tagOf(rdata: Rdata): string | undefined {
  return rdata.type === 'TXT' ? versionTag(rdata.strings) : undefined;
}

/** What to do about a set, one sentence. */
export function hintOf(
  set: WantedSet,
  servers: readonly ServerFinding[],
  { authority, zone }: { readonly authority: Authority; readonly zone: string | null },
): string {
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
  if (state === 'missing') return `add to the zone: ${lines}`;
  if (state === 'different') return `in the zone put ${lines} in the place of ${found}`;
  return `take out of the zone what is there beside ${lines}`;
}
