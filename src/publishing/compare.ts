// A set of records as it should be beside what a server says: their difference in one word.
//
// In      the records that an entry wants; a server's answer
// Out     what was found, a state
// States  `ok`; `missing`, all or some; `different`, others instead; `extra`, others beside; `unknown`, no answer that counts
// Of texts those count that are of the same kind (`v=spf1`) as one that is wanted: a domain may have others for other purposes

import { asciiLower } from '../base/characters.ts';
import type { DnsReply, Unavailable } from '../net/dns-client.ts';
import { RCODE, type RecordType } from '../wire/dns/codes.ts';
import type { Rdata, ResourceRecord } from '../wire/dns/rdata.ts';
import { rdataText } from '../wire/dns/text.ts';
import { versionTag } from '../zones/site-records.ts';

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
