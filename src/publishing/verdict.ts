// What a look at a domain says of it: a pure function.
//
// In      what its entry wants, what its name servers have, how many sets its last update has left out
// Out     whether all of it was seen, which keys were, whether something of ours is gone, what is wrong
// Rules   a name server has a set where it answers at one of its addresses and nowhere otherwise; each of the zone must. At a
//         primary that we update all sets count, but for those that others have written (conflicts). In somebody else's zone
//         the most preferred MX must be a host of ours; what else is wanted there is advice
//         A key is lost where no name server has its record any more: one that has not yet, or not any more, is no word for all
//         A key was seen where its record alone stands: of two at one name no receiver knows which is meant. RFC 6376 §3.6.2.2
// Limits  PROBLEMS_MAX sentences

import { formatEndpoint } from '../net/listen.ts';
import { absoluteText } from '../wire/dns/text.ts';
import { ourHosts } from '../zones/kinds.ts';
import type { ZoneKeyRow, ZoneSettings } from '../zones/settings.ts';
import type { CheckState, ServerFinding } from './compare.ts';
import type { Observation, ObservedSet, WantedRecords } from './observe.ts';

const PROBLEMS_MAX = 20;

export interface DomainVerdict {
  /** What makes the domain active. */
  readonly isSeen: boolean;
  /** That, and the record of each key. */
  readonly isComplete: boolean;
  readonly keys: readonly ZoneKeyRow[];
  /** Each name server has said that it has not their records. */
  readonly lostKeys: readonly ZoneKeyRow[];
  /** A server has not what we have written at the primary. */
  readonly isMissing: boolean;
  /** Its MX names other hosts alone. */
  readonly isElsewhere: boolean;
  readonly problems: readonly string[];
}

/** One set at one name server: undefined where that says nothing that counts. */
type Word = CheckState | undefined;

export function judge(wanted: WantedRecords, observation: Observation, conflicts: number): DomainVerdict {
  const { domain, standing, keys } = wanted;
  const isUpdatable = standing.authority === 'updatable';
  const mx = observation.records.find(({ name, type }) => name === domain && type === 'MX');
  const isElsewhere = wanted.isWithMail && mx !== undefined && namesOthers(mx, wanted.settings);
  const keysThat = (holds: (word: Word) => boolean): readonly ZoneKeyRow[] =>
    keys.filter(({ key }) => {
      const at = `${key}._domainkey.${domain}`;
      const set = observation.records.find(({ name, type }) => name === at && type === 'TXT');
      return set !== undefined && everyServer(observation, set, holds);
    });
  const seenKeys = keysThat((word) => word === 'ok');
  const isThere = (word: Word): boolean => word === 'ok' || word === 'extra';
  const isLeftOut = (word: Word): boolean => word === 'different' && conflicts > 0;
  const isSeen = isUpdatable
    ? observation.records.every((set) => everyServer(observation, set, (word) => isThere(word) || isLeftOut(word)))
    : mx === undefined || everyServer(observation, mx, (word, found) => leadsHere(word, found, mx, wanted));
  return {
    isSeen,
    isComplete: isSeen && keys.every((key) => key.state === 'retired' || seenKeys.includes(key)),
    keys: seenKeys,
    lostKeys: keysThat((word) => word === 'missing' || word === 'different'),
    isMissing:
      isUpdatable &&
      observation.records.some(({ servers }) =>
        servers.some(({ state }) => state === 'missing' || (state === 'different' && conflicts === 0)),
      ),
    isElsewhere,
    problems: problemsOf(observation, { isElsewhere, isUpdatable, isSeen, mx }),
  };
}

/** In somebody else's zone: a host of ours comes first; where the entry names none, what it names is there. */
function leadsHere(word: Word, found: readonly string[], mx: ObservedSet, { settings }: WantedRecords): boolean {
  if (word === undefined) return false;
  if (!mx.wanted.some((text) => isOurHost(exchangeOf(text), settings))) return word === 'ok' || word === 'extra';
  const best = Math.min(...found.map(preferenceOf));
  return found.some((text) => preferenceOf(text) === best && isOurHost(exchangeOf(text), settings));
}

/** At least one name server there is, and each says so. */
function everyServer(
  { servers }: Observation,
  set: ObservedSet,
  holds: (word: Word, found: readonly string[]) => boolean,
): boolean {
  const byEndpoint = new Map(set.servers.map((finding) => [finding.server, finding]));
  return (
    servers.length > 0 &&
    servers.every(({ endpoints }) => {
      const findings = endpoints.flatMap(({ address, port }) => byEndpoint.get(formatEndpoint(address, port)) ?? []);
      const known = findings.filter(({ state }) => state !== 'unknown');
      return known.length > 0 && known.every(({ state, found }) => holds(state, found));
    })
  );
}

/** Some server names a host, and none names one of ours. */
function namesOthers({ servers }: ObservedSet, settings: ZoneSettings): boolean {
  const found = servers.flatMap((each) => exchangesOf(each.found));
  return found.length > 0 && !found.some((name) => isOurHost(name, settings));
}

function isOurHost(name: string, settings: ZoneSettings): boolean {
  return ourHosts(settings).some(({ key }) => key === name);
}

/** The hosts; none for an alias, or where no mail is wanted. */
function exchangesOf(found: readonly string[]): readonly string[] {
  return found
    .filter((text) => !text.startsWith('CNAME '))
    .map(exchangeOf)
    .filter((name) => name !== '');
}

/** `10 mail.example.` */
function exchangeOf(text: string): string {
  return text.slice(text.indexOf(' ') + 1, -1).toLowerCase();
}

function preferenceOf(text: string): number {
  return Number(text.slice(0, Math.max(0, text.indexOf(' '))));
}

function problemsOf(
  { records }: Observation,
  of: Pick<DomainVerdict, 'isElsewhere' | 'isSeen'> & {
    readonly isUpdatable: boolean;
    readonly mx: ObservedSet | undefined;
  },
): readonly string[] {
  const problems: string[] = [];
  if (of.isElsewhere) {
    const hosts = new Set(of.mx!.servers.flatMap(({ found }) => exchangesOf(found)));
    problems.push(`its MX names only others: ${[...hosts].join(', ')}`);
  }
  for (const set of records) {
    const isSaid = set === of.mx && (of.isElsewhere || (of.isSeen && !of.isUpdatable));
    const isAdvice = !of.isUpdatable && set !== of.mx && !set.name.includes('._domainkey.');
    if (isSaid || isAdvice) continue;
    problems.push(...set.servers.flatMap((finding) => problemOf(set, finding)));
  }
  return problems.slice(0, PROBLEMS_MAX);
}

function problemOf({ name, type }: ObservedSet, { server, state, found }: ServerFinding): readonly string[] {
  if (state === 'missing') return [`${server} has not ${absoluteText(name)} ${type}`];
  if (state === 'different') return [`${server} has other data at ${absoluteText(name)} ${type}: ${found.join(', ')}`];
  return [];
}
