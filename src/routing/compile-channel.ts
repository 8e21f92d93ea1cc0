// A channel: `cn=NAME,ou=Channels`. Its kind, and what the keywords of its entry change, one keyword a value.
//
//   mx | nomx                  the hosts of a domain are those of its MX records (as without the word), or itself
//   daemon HOP ...             next hops, in this order, in place of the domain
//   port N                     where they listen, where neither hop nor host entry says
//   maytls | musttls | notls   TLS where it is offered (as without the word); verified or not at all (also `required`); never
//   backoff T ...              waits after the first, second, ... attempt; the last one repeats
//   notices T ...              how long a row has waited when its sender is told that it is delayed; the last: when it fails
//   maxjobs N                  deliveries at once
//   concurrency N              deliveries at once to one destination, at most; 20 without the word
//   rate N/T                   deliveries that begin in that time, such as 100/1m
//   interfaceaddress IP ...    where connections come from, an address a family at most
//   blocklimit SIZE            of a message, in octets or as `50MiB`
//
// `waypostLogin` beside them: who logs in at the hosts; `waypostSecret`, with what, is never in a row.
//
// In      an entry
// Out     its row; each value that could not be used is a problem, and its word is not in the row
// Limits  KEYWORD_LENGTH characters a value, TIMES_MAX times

import { isIP } from 'node:net';
import { asciiLower } from '../base/characters.ts';
import { DAY_MS, DURATION_TEXT, DURATION_WORDS, durationMs } from '../base/duration.ts';
import { type Entry, hasClass, textValue, textValues } from '../directory/entry.ts';
import { nameIn } from './containers.ts';
import { formatHops, HOPS_MAX, type Hop, parseHop } from './destination.ts';
import type { Problem } from './rows.ts';

const KEYWORD_LENGTH = 3000;
const TIMES_MAX = 20;
const COUNT_MAX = 100_000;
/** Beginnings that are remembered, each some octets. */
const RATE_MAX = 10_000;
const RATE_MS_MAX = DAY_MS;

export const channelKinds = [
  'smtp',
  'lmtp',
  'store',
  'forward',
  'autoreply',
  'program',
  'file',
  'list',
  'hold',
  'discard',
  'reprocess',
] as const;
export type ChannelKind = (typeof channelKinds)[number];

/** What keywords say; a key that is absent: as without them. */
export interface ChannelWords {
  readonly isNoMx?: true;
  /** A destination (destination.ts). */
  readonly daemon?: string;
  readonly port?: number;
  readonly tls?: 'required' | 'off';
  readonly backoffMs?: readonly number[];
  /** In order; the last is when a row fails. */
  readonly noticesMs?: readonly number[];
  readonly maxJobs?: number;
  readonly concurrency?: number;
  readonly rate?: Rate;
  readonly interfaceAddresses?: readonly string[];
  /** Octets. */
  readonly sizeMax?: number;
}

/** So many deliveries begin in so many milliseconds, at most. */
export interface Rate {
  readonly count: number;
  readonly ms: number;
}

export interface ChannelRow extends ChannelWords {
  readonly kind: 'channel';
  /** Its name in lower case. */
  readonly key: string;
  /** `''`: there is no entry. */
  readonly dn: string;
  readonly channelKind: ChannelKind;
  /** As the entry has them. */
  readonly keywords: readonly string[];
  /** Nothing leaves its queue. */
  readonly isPaused: boolean;
  /** Who logs in at the hosts that it leads to. */
  readonly loginName?: string;
  readonly problems?: readonly Problem[];
}

export function compileChannel(entry: Entry): ChannelRow | undefined {
  if (!hasClass(entry, 'waypostchannel')) return undefined;
  const key = nameIn('channels', entry);
  if (key === undefined) return undefined;
  const problems: Problem[] = [];
  const keywords = textValues(entry, 'waypostkeyword');
  const words: Mutable<ChannelWords> = {};
  const seen = new Set<string>();
  for (const value of keywords) {
    const reason = readKeyword(value, words, seen);
    if (reason !== undefined) problems.push({ attribute: 'waypostKeyword', value: value.slice(0, 100), reason });
  }
  return {
    kind: 'channel',
    key,
    dn: entry.dn,
    channelKind: kindOf(key, textValue(entry, 'waypostchannelkind') ?? '', problems),
    keywords,
    isPaused: asciiLower(textValue(entry, 'waypostpaused') ?? '') === 'true',
    ...words,
    ...loginOf(entry),
    ...(problems.length === 0 ? {} : { problems }),
  };
}

function loginOf(entry: Entry): Pick<ChannelRow, 'loginName'> {
  const loginName = textValue(entry, 'waypostlogin');
  return loginName === undefined || loginName === '' ? {} : { loginName };
}

type Mutable<T> = { -readonly [key in keyof T]: T[key] };

/** A channel whose name is a kind is of that kind. One of no kind holds what comes to it: nothing is lost by a slip. */
function kindOf(key: string, value: string, problems: Problem[]): ChannelKind {
  const own = channelKinds.find((kind) => kind === key);
  const kind = channelKinds.find((known) => known === asciiLower(value.trim()));
  if (kind !== undefined && (own ?? kind) === kind) return kind;
  const reason = own === undefined ? `is none of ${channelKinds.join(', ')}` : `a channel named ${own} is of that kind`;
  problems.push({ attribute: 'waypostChannelKind', value, reason });
  return own ?? 'hold';
}

type Words = Mutable<ChannelWords>;
/** Reads what stands behind its word; gives the reason why it cannot. */
type Reading = (words: Words, values: readonly string[]) => string | undefined;

/** A word of a group excludes the others of it, and stands once. */
interface Keyword {
  readonly group: string;
  readonly read: Reading;
}

const bare =
  (set: (words: Words) => void): Reading =>
  (words, values) => {
    if (values.length > 0) return 'takes no value';
    set(words);
    return undefined;
  };

const whole =
  (set: (words: Words, value: number) => void, max: number): Reading =>
  (words, values) => {
    const value = values.length === 1 ? wholeNumber(values[0]!) : Number.NaN;
    if (!(value >= 1 && value <= max)) return `takes a number from 1 to ${max}`;
    set(words, value);
    return undefined;
  };

const required: Keyword = {
  group: 'tls',
  read: bare((words) => {
    words.tls = 'required';
  }),
};

const KEYWORDS: ReadonlyMap<string, Keyword> = new Map<string, Keyword>([
  ['mx', { group: 'mx', read: bare(() => {}) }],
  [
    'nomx',
    {
      group: 'mx',
      read: bare((words) => {
        words.isNoMx = true;
      }),
    },
  ],
  ['daemon', { group: 'daemon', read: readDaemon }],
  [
    'port',
    {
      group: 'port',
      read: whole((words, value) => {
        words.port = value;
      }, 65_535),
    },
  ],
  ['maytls', { group: 'tls', read: bare(() => {}) }],
  ['musttls', required],
  ['required', required],
  [
    'notls',
    {
      group: 'tls',
      read: bare((words) => {
        words.tls = 'off';
      }),
    },
  ],
  ['backoff', { group: 'backoff', read: readBackoff }],
  ['notices', { group: 'notices', read: readNotices }],
  [
    'maxjobs',
    {
      group: 'maxjobs',
      read: whole((words, value) => {
        words.maxJobs = value;
      }, COUNT_MAX),
    },
  ],
  [
    'concurrency',
    {
      group: 'concurrency',
      read: whole((words, value) => {
        words.concurrency = value;
      }, COUNT_MAX),
    },
  ],
  ['rate', { group: 'rate', read: readRate }],
  ['interfaceaddress', { group: 'interfaceaddress', read: readInterfaceAddress }],
  ['blocklimit', { group: 'blocklimit', read: readBlockLimit }],
]);

function readKeyword(value: string, words: Words, seen: Set<string>): string | undefined {
  if (value.length > KEYWORD_LENGTH) return `is longer than ${KEYWORD_LENGTH} characters`;
  const [written = '', ...values] = value.split(/\s+/).filter((part) => part !== '');
  const name = asciiLower(written);
  const keyword = KEYWORDS.get(name);
  if (keyword === undefined) return `unknown keyword ${written}`;
  if (seen.has(keyword.group)) return `${name} stands beside another word of ${keyword.group}`;
  seen.add(keyword.group);
  const reason = keyword.read(words, values);
  return reason === undefined ? undefined : `${name} ${reason}`;
}

function readDaemon(words: Words, values: readonly string[]): string | undefined {
  if (values.length === 0 || values.length > HOPS_MAX) return `takes 1 to ${HOPS_MAX} hops`;
  const hops: Hop[] = [];
  for (const value of values) {
    const hop = parseHop(value);
    if (hop === undefined) return `cannot read the hop ${value}`;
    hops.push(hop);
  }
  words.daemon = formatHops(hops);
  return undefined;
}

function readBackoff(words: Words, values: readonly string[]): string | undefined {
  if (values.length === 0 || values.length > TIMES_MAX) return `takes 1 to ${TIMES_MAX} times`;
  if (!values.every(isTime)) return `takes ${DURATION_WORDS}, one or several`;
  words.backoffMs = values.map(durationMs);
  return undefined;
}

function readNotices(words: Words, values: readonly string[]): string | undefined {
  if (values.length === 0 || values.length > TIMES_MAX) return `takes 1 to ${TIMES_MAX} times`;
  if (!values.every(isTime)) return `takes ${DURATION_WORDS}, one or several`;
  const times = values.map(durationMs);
  if (times.some((time, index) => index > 0 && time <= times[index - 1]!)) return 'takes times that grow';
  words.noticesMs = times;
  return undefined;
}

function readRate(words: Words, values: readonly string[]): string | undefined {
  const [count = '', time = '', ...more] = (values.length === 1 ? values[0]! : '').split('/');
  const rate = { count: wholeNumber(count), ms: isTime(time) ? durationMs(time) : 0 };
  if (more.length > 0 || !(rate.count >= 1 && rate.count <= RATE_MAX) || !(rate.ms > 0 && rate.ms <= RATE_MS_MAX))
    return `takes a number from 1 to ${RATE_MAX} and a time of a day at most, such as 100/1m`;
  words.rate = rate;
  return undefined;
}

function readInterfaceAddress(words: Words, values: readonly string[]): string | undefined {
  const families = values.map(isIP);
  if (values.length === 0 || families.includes(0) || new Set(families).size < values.length)
    return 'takes an IPv4 address, an IPv6 address, or one of each';
  words.interfaceAddresses = values;
  return undefined;
}

/** Not 0: a row would be tried without a wait, or not at all. */
function isTime(text: string): boolean {
  return DURATION_TEXT.test(text) && durationMs(text) > 0;
}

const UNITS_BYTES: Readonly<Record<string, number>> = { '': 1, B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

function readBlockLimit(words: Words, values: readonly string[]): string | undefined {
  const [, digits = '', unit = ''] = /^(\d{1,9})(B|KiB|MiB|GiB)?$/.exec(values[0] ?? '') ?? [];
  const size = digits === '' ? 0 : Number(digits) * UNITS_BYTES[unit]!;
  if (values.length !== 1 || size === 0) return 'takes a size such as 50MiB, or a number of octets';
  words.sizeMax = size;
  return undefined;
}

function wholeNumber(text: string): number {
  return /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
}
