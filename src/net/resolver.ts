// DNS as a client: the MX records of a domain and the addresses of a host, from the configured resolver.
//
// In      a name; how long the caller can wait
// Out     a value that keeps apart what is there, what is not there, and what could not be found out
// Limits  1 s and 2 tries a server; look-ups at once and waiting; an overall deadline a call
// Never   dns.lookup (it blocks a thread of the pool that syncs files), never a cache: an MX record that has changed is
//         evidence, and the resolver caches already
// RFC 1035 §7.2, RFC 5321 §5.1, RFC 7505 §3

import { Resolver as NodeResolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { asciiLower } from '../base/characters.ts';

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

export interface ResolverOptions {
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

/** Records of one answer that are looked at: no caller needs more. */
const RECORDS_MAX = 100;

/** What the library's codes mean; all others mean that nothing was found out. */
const ABSENT: ReadonlyMap<string, 'no-name' | 'no-data'> = new Map([
  ['ENOTFOUND', 'no-name'],
  ['ENODATA', 'no-data'],
  // No DNS name can be written so: it has no records, now or later.
  ['EBADNAME', 'no-name'],
]);

export class Resolver {
  readonly #resolver: NodeResolver;
  readonly #lookUpsMax: number;
  readonly #waitingMax: number;
  #lookUps = 0;
  readonly #waiting: (() => void)[] = [];
  #closed = false;

  /** Throws a TypeError or Error of the platform for a server that is no address. */
  constructor(options: ResolverOptions = {}) {
    const timeout = options.timeoutMs ?? 1000;
    // Without maxTimeout each further try would wait twice as long as the one before.
    this.#resolver = new NodeResolver({ timeout, maxTimeout: timeout, tries: options.tries ?? 2 });
    if (options.servers !== undefined && options.servers.length > 0) this.#resolver.setServers(options.servers);
    this.#lookUpsMax = options.lookUpsMax ?? 100;
    this.#waitingMax = options.waitingMax ?? 1000;
  }

  /** The MX records alone: whether no MX means the address of the name itself is the caller's to decide. */
  async mx(domain: string, options: LookUpOptions = {}): Promise<MxAnswer> {
    const answer = await this.#lookUp(() => this.#resolver.resolveMx(domain), options);
    if (answer.result !== 'found') return answer;
    const exchanges = answer.records
      .map(({ priority, exchange }) => ({ preference: priority, exchange: hostName(exchange) }))
      .sort((a, b) => a.preference - b.preference);
    // RFC 7505 §3: only alone; beside others it is a mistake and left out.
    const usable = exchanges.filter(({ exchange }) => exchange !== '');
    return usable.length === 0 ? { result: 'null-mx' } : { result: 'found', exchanges: usable };
  }

  /** IPv4 and IPv6; an address is its own answer. What one family answers counts even if the other is unavailable. */
  async addresses(host: string, options: LookUpOptions = {}): Promise<AddressesAnswer> {
    if (isIP(host) !== 0) return { result: 'found', addresses: [host] };
    const [six, four] = await Promise.all([
      this.#lookUp(() => this.#resolver.resolve6(host), options),
      this.#lookUp(() => this.#resolver.resolve4(host), options),
    ]);
    const addresses = [six, four].flatMap((answer) => (answer.result === 'found' ? answer.records : []));
    if (addresses.length > 0) return { result: 'found', addresses };
    const answers = [six, four].filter((answer) => answer.result !== 'found');
    return (
      answers.find(({ result }) => result === 'unavailable') ??
      answers.find(({ result }) => result === 'no-data') ??
      answers[0]!
    );
  }

  /** What is under way ends as `unavailable`; so does what comes later. */
  close(): void {
    this.#closed = true;
    for (const next of this.#waiting.splice(0)) next();
    this.#resolver.cancel();
  }

  async #lookUp<T>(ask: () => Promise<T[]>, { deadlineMs }: LookUpOptions): Promise<Found<T> | NothingFound> {
    const answer = this.#inTurn(ask);
    if (deadlineMs === undefined) return answer;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<NothingFound>((resolve) => {
      timer = setTimeout(resolve, deadlineMs, unavailable(`no answer within ${deadlineMs} ms`));
    });
    try {
      return await Promise.race([answer, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Never rejects: in a race with the deadline its rejection would be unhandled. */
  async #inTurn<T>(ask: () => Promise<T[]>): Promise<Found<T> | NothingFound> {
    if (this.#lookUps >= this.#lookUpsMax) {
      if (this.#waiting.length >= this.#waitingMax) return unavailable('too many look-ups are waiting');
      // A look-up that ends starts the one that waits longest.
      await new Promise<void>((turn) => this.#waiting.push(turn));
    } else this.#lookUps++;
    try {
      if (this.#closed) return unavailable('the resolver is closed');
      const records = await ask();
      return records.length === 0 ? { result: 'no-data' } : { result: 'found', records: records.slice(0, RECORDS_MAX) };
    } catch (error) {
      return nothingFound(error);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#lookUps--;
      else next();
    }
  }
}

interface Found<T> {
  readonly result: 'found';
  readonly records: readonly T[];
}

function unavailable(reason: string): NothingFound {
  return { result: 'unavailable', reason };
}

function nothingFound(error: unknown): NothingFound {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const absent = ABSENT.get(code);
  return absent === undefined ? unavailable(code) : { result: absent };
}

function hostName(text: string): string {
  const lower = asciiLower(text);
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}
