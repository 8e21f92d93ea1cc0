// DNS as a client: any question to the configured resolver or to servers of the caller's choice, updates, notifications.
//
// In      a name and a type; how long the caller can wait
// Out     a value that keeps apart what is there, what is not there, and what could not be found out
// Errors  none: what was not found out is `unavailable` and why
// Limits  1 s and 2 tries a server over UDP, TCP_MS over TCP; look-ups at once and waiting; a deadline a call; RECORDS_MAX
//         records of a set, ALIASES_MAX aliases
// Never   takes an answer from another server or port, with another id or question: such are passed over. Never a cache:
//         a record that has changed is evidence, and the resolver caches already. Never reads the hosts file
// RFC 1035 §7, RFC 1996 §3, RFC 2136 §4, RFC 2181 §5.4, RFC 5321 §5.1, RFC 5452, RFC 6891 §6.2.2, RFC 7505 §3, RFC 8945 §5

import { randomInt } from 'node:crypto';
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { asciiLower } from '../base/characters.ts';
import { Failure } from '../base/failure.ts';
import { CLASS_IN, OPCODE_NOTIFY, OPCODE_QUERY, RCODE, type RecordType, rcodeName } from '../wire/dns/codes.ts';
import { type DnsMessage, type Edns, encodeMessage } from '../wire/dns/message.ts';
import { parseName } from '../wire/dns/name.ts';
import type { ResourceRecord } from '../wire/dns/rdata.ts';
import type { TsigKey } from '../wire/dns/tsig.ts';
import { encodeUpdate, type ZoneUpdate } from '../wire/dns/update.ts';
import { type DnsServer, exchangeTcp, exchangeUdp } from './dns-exchange.ts';
import { type Judged, judgeAnswer, type Request, requestOf } from './dns-request.ts';
import { parseServer, systemServers } from './system-servers.ts';

export interface Mx {
  readonly preference: number;
  /** Lower case, without a final dot. */
  readonly exchange: string;
}

/**
 * Why there is nothing: `no-name` (NXDOMAIN) and `no-data` (the name has no such record) are answers and permanent;
 * `unavailable` (time-out, SERVFAIL, refused, too much to do) says nothing about the name and is temporary.
 */
export type NothingFound =
  | { readonly result: 'no-name' | 'no-data' }
  | { readonly result: 'unavailable'; readonly reason: string };

export type MxAnswer =
  /** By preference, most preferred first; at least one. */
  | { readonly result: 'found'; readonly exchanges: readonly Mx[] }
  /** RFC 7505: the domain says that it takes no mail. */
  | { readonly result: 'null-mx' }
  | NothingFound;

export type AddressesAnswer =
  /** IPv6 and IPv4 in the order in which the server gave them, IPv6 first; at least one. */
  { readonly result: 'found'; readonly addresses: readonly string[] } | NothingFound;

export interface DnsClientOptions {
  /** `ADDRESS`, `ADDRESS:PORT`, `[IPV6]:PORT`. None: those of the system. */
  readonly servers?: readonly string[];
  readonly timeoutMs?: number;
  readonly tries?: number;
  /** Look-ups on their way at once, and those that may wait for their turn. */
  readonly lookUpsMax?: number;
  readonly waitingMax?: number;
}

export interface LookUpOptions {
  /** After this the answer is `unavailable`, whatever is still under way. None: tries and servers bound it. */
  readonly deadlineMs?: number;
}

export interface AskOptions extends LookUpOptions {
  /** Each is asked until one answers; none: the resolver. */
  readonly servers?: readonly DnsServer[];
  /** Whether the server shall ask others for us; without it the resolver alone is asked to. */
  readonly recursion?: boolean;
  readonly tcp?: boolean;
  /** The address that the question leaves from. */
  readonly source?: string;
  /** Signs the question; an answer without its signature is none. */
  readonly key?: TsigKey;
  /** Records of a set that are read. */
  readonly recordsMax?: number;
}

export interface DnsReply {
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly authenticData: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
}

/** Nothing was found out, and why. */
export interface Unavailable {
  readonly unavailable: string;
}

export interface SendOptions extends LookUpOptions {
  readonly key?: TsigKey;
  readonly source?: string;
}

const TCP_MS = 5000;
const UPDATE_MS = 10_000;
const RECORDS_MAX = 20;
const ALIASES_MAX = 8;
const EDNS: Edns = { udpSizeBytes: 1232, version: 0, dnssecOk: false, options: [] };
/** Another server may know better. */
const ELSEWHERE: ReadonlySet<number> = new Set([RCODE.FORMERR, RCODE.SERVFAIL, RCODE.NOTIMP, RCODE.REFUSED]);

export class DnsClient {
  readonly #servers: readonly DnsServer[] | undefined;
  readonly #timeoutMs: number;
  readonly #tries: number;
  readonly #lookUpsMax: number;
  readonly #waitingMax: number;
  readonly #open = new Set<AbortController>();
  readonly #waiting: (() => void)[] = [];
  #lookUps = 0;
  #closed = false;

  /** Throws an Error for a server that is no address. */
  constructor(options: DnsClientOptions = {}) {
    const { servers = [] } = options;
    this.#servers = servers.length === 0 ? undefined : servers.map(parseServer);
    this.#timeoutMs = options.timeoutMs ?? 1000;
    this.#tries = options.tries ?? 2;
    this.#lookUpsMax = options.lookUpsMax ?? 100;
    this.#waitingMax = options.waitingMax ?? 1000;
  }

  /** The MX records alone: whether no MX means the address of the name itself is the caller's to decide. */
  async mx(domain: string, options: LookUpOptions = {}): Promise<MxAnswer> {
    const answer = await this.#set(domain, 'MX', options);
    if (!('records' in answer)) return answer;
    const exchanges = answer.records
      .flatMap((record) => (record.type === 'MX' ? [record] : []))
      .map(({ preference, exchange }) => ({ preference, exchange: hostName(exchange) }))
      .sort((a, b) => a.preference - b.preference);
    // RFC 7505 §3: only alone; beside others it is a mistake and left out.
    const usable = exchanges.filter(({ exchange }) => exchange !== '').slice(0, RECORDS_MAX);
    return usable.length === 0 ? { result: 'null-mx' } : { result: 'found', exchanges: usable };
  }

  /** IPv4 and IPv6; an address is its own answer. What one family answers counts even if the other is unavailable. */
  async addresses(host: string, options: LookUpOptions = {}): Promise<AddressesAnswer> {
    if (isIP(host) !== 0) return { result: 'found', addresses: [host] };
    const answers = await Promise.all([this.#set(host, 'AAAA', options), this.#set(host, 'A', options)]);
    const addresses = answers.flatMap((answer) =>
      'records' in answer
        ? answer.records.slice(0, RECORDS_MAX).flatMap((record) => ('address' in record ? [record.address] : []))
        : [],
    );
    if (addresses.length > 0) return { result: 'found', addresses };
    const nothing = answers.flatMap((answer) => ('records' in answer ? [] : [answer]));
    return (
      nothing.find(({ result }) => result === 'unavailable') ??
      nothing.find(({ result }) => result === 'no-data') ??
      nothing[0]!
    );
  }

  /**
   * What a server answers, whatever it is: a SERVFAIL of the last one is an answer, too. Aliases are not followed, their
   * records stand in `answers`. Never throws; a name that cannot be written is NXDOMAIN.
   */
  async ask(name: string, type: RecordType, options: AskOptions = {}): Promise<DnsReply | Unavailable> {
    const written = writtenName(name);
    if (written === undefined) return NO_SUCH_NAME;
    const servers = options.servers ?? this.#servers ?? systemServers();
    const recursionDesired = options.recursion ?? options.servers === undefined;
    const message = queryOf(written, type, recursionDesired);
    const answer = await this.#inTurn(options.deadlineMs, (signal) =>
      this.#askEach(servers, { message, signal, options }),
    );
    if ('unavailable' in answer) return answer;
    const most = options.recordsMax ?? RECORDS_MAX;
    return {
      rcode: answer.rcode,
      authoritative: answer.authoritative,
      authenticData: answer.authenticData,
      answers: firstOfSets(answer.answers, most),
      authorities: firstOfSets(answer.authorities, most),
      additionals: firstOfSets(answer.additionals, most),
    };
  }

  /** Over TCP, once: whoever sends it again must know what it changed. The response code is the server's, signed with the key. */
  async update(
    server: DnsServer,
    update: ZoneUpdate,
    { key, source, deadlineMs = UPDATE_MS }: SendOptions = {},
  ): Promise<{ readonly rcode: number } | Unavailable> {
    let octets: Uint8Array;
    try {
      octets = encodeUpdate({ ...update, id: randomInt(0x10000) });
    } catch (error) {
      if (error instanceof Failure) return { unavailable: error.message };
      throw error;
    }
    const request = requestOf(octets, { key, source });
    return this.#inTurn(deadlineMs, (signal) => this.#tcp(server, request, { signal, timeoutMs: deadlineMs }));
  }

  /** RFC 1996: tells a server that its copy of the zone may be old. Over UDP, once. */
  async notify(
    server: DnsServer,
    zone: string,
    { key, source, deadlineMs = this.#timeoutMs }: SendOptions = {},
  ): Promise<{ readonly rcode: number } | Unavailable> {
    const message = { ...queryOf(zone, 'SOA', false), opcode: OPCODE_NOTIFY, authoritative: true, edns: undefined };
    const request = requestOf(encodeMessage(message), { key, source });
    return this.#inTurn(deadlineMs, async (signal) => {
      const outcome = await exchangeUdp(exchangeOf(server, request, { signal, timeoutMs: deadlineMs }));
      return 'failed' in outcome ? { unavailable: outcome.failed } : answerOf(outcome.taken);
    });
  }

  /** What is under way ends as `unavailable`; so does what comes later. */
  close(): void {
    this.#closed = true;
    for (const next of this.#waiting.splice(0)) next();
    for (const open of this.#open) open.abort('the resolver is closed');
  }

  /** The set of a name and a type, over its aliases. */
  async #set(
    name: string,
    type: RecordType,
    options: LookUpOptions,
  ): Promise<{ readonly result: 'found'; readonly records: readonly ResourceRecord[] } | NothingFound> {
    const reply = await this.ask(name, type, { ...options, recordsMax: Number.POSITIVE_INFINITY });
    if ('unavailable' in reply) return { result: 'unavailable', reason: reply.unavailable };
    if (reply.rcode === RCODE.NXDOMAIN) return { result: 'no-name' };
    if (reply.rcode !== RCODE.NOERROR) return { result: 'unavailable', reason: `E${rcodeName(reply.rcode)}` };
    const records = behindAliases(reply.answers, writtenName(name)!, type);
    if (records === undefined) return { result: 'unavailable', reason: 'too many aliases' };
    return records.length === 0 ? { result: 'no-data' } : { result: 'found', records };
  }

  async #askEach(
    servers: readonly DnsServer[],
    { message, signal, options }: { message: DnsMessage; signal: AbortSignal; options: AskOptions },
  ): Promise<DnsMessage | Unavailable> {
    let last: DnsMessage | Unavailable = { unavailable: 'there is no server' };
    let left = servers;
    for (let tries = options.tcp === true ? 1 : this.#tries; tries > 0 && left.length > 0; tries--) {
      const silent: DnsServer[] = [];
      for (const server of left) {
        const answer = await this.#askOne(server, { message, signal, options });
        if (signal.aborted) return { unavailable: String(signal.reason) };
        if (!('unavailable' in answer) && !ELSEWHERE.has(answer.rcode)) return answer;
        if ('unavailable' in answer) silent.push(server);
        // A server that says no tells more than one that is silent.
        if (!('unavailable' in answer) || 'unavailable' in last) last = answer;
      }
      left = silent;
    }
    return last;
  }

  async #askOne(
    server: DnsServer,
    { message, signal, options }: { message: DnsMessage; signal: AbortSignal; options: AskOptions },
  ): Promise<DnsMessage | Unavailable> {
    const { key, source } = options;
    const own = { ...message, id: randomInt(0x10000) };
    const request = requestOf(encodeMessage(own), { key, source });
    if (options.tcp === true) return this.#tcp(server, request, { signal, timeoutMs: TCP_MS });
    const outcome = await exchangeUdp(exchangeOf(server, request, { signal, timeoutMs: this.#timeoutMs }));
    if ('failed' in outcome) return { unavailable: outcome.failed };
    const answer = answerOf(outcome.taken);
    if ('unavailable' in answer) return answer;
    if (answer.truncated) return this.#tcp(server, request, { signal, timeoutMs: TCP_MS });
    // RFC 6891 §6.2.2: it does not know EDNS.
    if (answer.rcode === RCODE.FORMERR && answer.edns === undefined && own.edns !== undefined)
      return this.#askOne(server, { message: { ...message, edns: undefined }, signal, options });
    return answer;
  }

  async #tcp(
    server: DnsServer,
    request: Request,
    limits: { readonly signal: AbortSignal; readonly timeoutMs: number },
  ): Promise<DnsMessage | Unavailable> {
    const outcome = await exchangeTcp(exchangeOf(server, request, limits));
    return 'failed' in outcome ? { unavailable: outcome.failed } : answerOf(outcome.taken);
  }

  /** Never rejects but for a bug; after the deadline nothing of it is under way. */
  async #inTurn<T>(
    deadlineMs: number | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T | Unavailable> {
    const controller = new AbortController();
    const { signal } = controller;
    const timer =
      deadlineMs === undefined
        ? undefined
        : setTimeout(() => controller.abort(`no answer within ${deadlineMs} ms`), deadlineMs);
    const stopped = new Promise<Unavailable>((resolve) => {
      signal.addEventListener('abort', () => resolve({ unavailable: String(signal.reason) }));
    });
    this.#open.add(controller);
    try {
      return await Promise.race([this.#turn(signal, work), stopped]);
    } finally {
      clearTimeout(timer);
      this.#open.delete(controller);
    }
  }

  async #turn<T>(signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T | Unavailable> {
    if (this.#closed) return { unavailable: 'the resolver is closed' };
    if (this.#lookUps >= this.#lookUpsMax) {
      if (this.#waiting.length >= this.#waitingMax) return { unavailable: 'too many look-ups are waiting' };
      // A look-up that ends starts the one that waits longest.
      await new Promise<void>((turn) => this.#waiting.push(turn));
    } else this.#lookUps++;
    try {
      if (this.#closed) return { unavailable: 'the resolver is closed' };
      if (signal.aborted) return { unavailable: String(signal.reason) };
      return await work(signal);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#lookUps--;
      else next();
    }
  }
}

const NO_SUCH_NAME: DnsReply = {
  rcode: RCODE.NXDOMAIN,
  authoritative: false,
  authenticData: false,
  answers: [],
  authorities: [],
  additionals: [],
};

/** As it is asked for; undefined: no DNS name can be written so, it has no records, now or later. */
function writtenName(name: string): string | undefined {
  try {
    const text = isAscii(name) ? name : domainToASCII(name);
    return text === '' ? undefined : parseName(text);
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7e) return false;
  return true;
}

function queryOf(name: string, type: RecordType, recursionDesired: boolean): DnsMessage {
  return {
    id: randomInt(0x10000),
    isResponse: false,
    opcode: OPCODE_QUERY,
    authoritative: false,
    truncated: false,
    recursionDesired,
    recursionAvailable: false,
    // RFC 6840 §5.7: the resolver may say whether it has verified the answer.
    authenticData: recursionDesired,
    checkingDisabled: false,
    rcode: RCODE.NOERROR,
    questions: [{ name, type, class: CLASS_IN }],
    answers: [],
    authorities: [],
    additionals: [],
    edns: EDNS,
  };
}

function exchangeOf(
  server: DnsServer,
  request: Request,
  limits: { readonly signal: AbortSignal; readonly timeoutMs: number },
) {
  const { octets, source } = request;
  const take = (received: Uint8Array): Judged | undefined => judgeAnswer(received, request);
  return { server, octets, take, ...limits, ...(source === undefined ? {} : { source }) };
}

function answerOf(judged: Judged): DnsMessage | Unavailable {
  return 'answer' in judged ? judged.answer : { unavailable: judged.unusable };
}

/** The first of each name and type. */
function firstOfSets(records: readonly ResourceRecord[], most: number): readonly ResourceRecord[] {
  if (records.length <= most) return records;
  const counts = new Map<string, number>();
  return records.filter((record) => {
    const set = `${asciiLower(record.name)} ${record.type}`;
    const count = (counts.get(set) ?? 0) + 1;
    counts.set(set, count);
    return count <= most;
  });
}

/** The records at the end of the aliases that the answer has; undefined where there are too many. */
function behindAliases(
  answers: readonly ResourceRecord[],
  name: string,
  type: RecordType,
): readonly ResourceRecord[] | undefined {
  let at = asciiLower(name);
  for (let aliases = 0; aliases <= ALIASES_MAX; aliases++) {
    const here = answers.filter((record) => asciiLower(record.name) === at);
    const found = here.filter((record) => record.type === type);
    if (found.length > 0) return found;
    const alias = here.find((record) => record.type === 'CNAME');
    if (alias?.type !== 'CNAME') return [];
    at = asciiLower(alias.target);
  }
  return undefined;
}

function hostName(name: string): string {
  return name === '.' ? '' : asciiLower(name);
}
