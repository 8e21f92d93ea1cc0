// The directory cache of one thread: the two tables through a reader, with the recent rows in memory.
//
// In      this thread's reader; the committed revision in shared memory
// Out     resolutions, logins
// States  the memory holds rows of exactly one committed state; another revision drops it before anything is asked
// Limits  RECENT_MAX rows of each kind are sure to be kept, twice as many may be; a long list counts as many rows
// Never   answers from a state older than the revision that was published when it was called

import { asciiLower } from '../base/characters.ts';
import type { PublishedRevision, Revision } from '../base/ids.ts';
import type { Awaitable, Reader } from '../database/operation.ts';
import { type Address, addressKey, tryParseAddress } from '../message/address.ts';
import { type Login, loginOf } from './login.ts';
import {
  type Resolution,
  type ResolveOptions,
  type RouteRequest,
  type RoutingTables,
  resolve,
  type Site,
} from './resolve.ts';
import { type RecipientRow, type RouteRow, SITE_POSTMASTER } from './rows.ts';
import { readAlias, readRecipient, readRoute, readState } from './tables.ts';

const RECENT_MAX = 20_000;

export interface RoutingCacheParts {
  readonly reader: Reader;
  /** The committed directory revision, published before any acknowledgement. Only its changes matter. */
  readonly revision: () => PublishedRevision;
  readonly site: Site;
}

export class RoutingCache {
  readonly #reader: Reader;
  readonly #revision: () => PublishedRevision;
  readonly #site: Site;
  readonly #memory = new Memory();
  #published: number | undefined;
  /** Of the state that the memory mirrors; undefined when the memory is empty. */
  #state: { readonly generation: number; readonly revision: Revision } | undefined;

  constructor(parts: RoutingCacheParts) {
    this.#reader = parts.reader;
    this.#revision = parts.revision;
    this.#site = parts.site;
  }

  /**
   * A promise where a row has to be fetched, which this cache never does: a read takes microseconds. Throws `unavailable`
   * when the tables cannot be read: never a permanent refusal.
   */
  resolve(address: Address, request: RouteRequest, options: ResolveOptions = {}): Awaitable<Resolution> {
    return this.#answer((tables, askMax) => {
      const given = askMax === undefined ? options : { ...options, askMax };
      const answer = resolve(address, request, tables, this.#site, given);
      return 'resolution' in answer ? answer.resolution : undefined;
    });
  }

  /** The user entry that a login names: any of its addresses in any case; `postmaster` is the site's. */
  findLogin(login: string): Login | undefined {
    return this.#answer((tables) => {
      const row = this.#userOf(login, tables);
      if (row === null || row?.kind === 'group') return { login: undefined };
      const found = row && loginOf(row, tables, this.#site);
      return found && { login: found };
    }).login;
  }

  /** The routing table's row of exactly this domain. */
  route(domain: string): RouteRow | undefined {
    return this.#answer((tables) => {
      const row = tables.route(domain);
      return row === undefined ? undefined : { row: row ?? undefined };
    }).row;
  }

  /** The entry that claims this address (addressKey), whatever its statuses. */
  recipient(key: string): RecipientRow | undefined {
    return this.#answer((tables) => {
      const row = tables.alias(key);
      return row === undefined ? undefined : { row: row ?? undefined };
    }).row;
  }

  get site(): Site {
    return this.#site;
  }

  /** `ask` answers from what it is given; undefined when that does not hold enough. */
  #answer<T>(ask: (tables: RoutingTables, askMax?: number) => T | undefined): T {
    const published = this.#revision();
    if (published !== this.#published) {
      this.#forget();
      this.#published = published;
    }
    const known = this.#state === undefined ? undefined : ask(this.#memory, 1);
    if (known !== undefined) return known;
    return this.#reader.snapshot(() => {
      const tables = this.#loading();
      const loaded = ask(tables);
      if (loaded === undefined) throw new Error('the tables were loaded and still asked for');
      return loaded;
    });
  }

  /** Inside a snapshot: a memory of another committed state is dropped first, so that two states never mix. */
  #loading(): RoutingTables {
    const state = readState(this.#reader);
    if (state.revision !== this.#state?.revision || state.generation !== this.#state.generation) {
      this.#forget();
      this.#state = state;
    }
    const { generation } = state;
    const reader = this.#reader;
    const { routes, aliases, recipients } = this.#memory;
    return {
      route: (domain) => routes.find(domain, () => readRoute(reader, generation, domain)),
      alias: (key) => aliases.find(key, () => readAlias(reader, generation, key)),
      recipient: (dn) => recipients.find(dn, () => readRecipient(reader, generation, dn)),
    };
  }

  #forget(): void {
    this.#memory.clear();
    this.#state = undefined;
  }

  #userOf(login: string, tables: RoutingTables): RecipientRow | null | undefined {
    if (asciiLower(login) === SITE_POSTMASTER) return tables.alias(SITE_POSTMASTER);
    const address = tryParseAddress(login);
    if (address === undefined) return null;
    const row = tables.alias(addressKey(address));
    const isSitePostmaster =
      asciiLower(address.localPart) === SITE_POSTMASTER && this.#site.hostnames.includes(address.domain);
    return row === null && isSitePostmaster ? tables.alias(SITE_POSTMASTER) : row;
  }
}

/** Rows by key, the absent ones as null. Two halves: when the young one is full the old one goes. */
class Recent<T> {
  #young = new Map<string, T | null>();
  #old = new Map<string, T | null>();
  #weight = 0;
  readonly #weigh: (value: T) => number;

  /** `weigh` says as how many rows one counts. */
  constructor(weigh: (value: T) => number = () => 1) {
    this.#weigh = weigh;
  }

  /** undefined: not in memory; null: in the table there is none. */
  get(key: string): T | null | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const older = this.#old.get(key);
    if (older !== undefined) this.#keep(key, older);
    return older;
  }

  find(key: string, read: () => T | null): T | null {
    const known = this.get(key);
    if (known !== undefined) return known;
    const value = read();
    this.#keep(key, value);
    return value;
  }

  #keep(key: string, value: T | null): void {
    if (this.#weight >= RECENT_MAX) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#weight = 0;
    }
    this.#young.set(key, value);
    this.#weight += value === null ? 1 : this.#weigh(value);
  }

  clear(): void {
    if (this.#young.size > 0) this.#young = new Map();
    if (this.#old.size > 0) this.#old = new Map();
    this.#weight = 0;
  }
}

class Memory implements RoutingTables {
  readonly routes = new Recent<RouteRow>();
  readonly aliases = new Recent<RecipientRow>(weightOf);
  readonly recipients = new Recent<RecipientRow>(weightOf);

  route(domain: string): RouteRow | null | undefined {
    return this.routes.get(domain);
  }

  alias(key: string): RecipientRow | null | undefined {
    return this.aliases.get(key);
  }

  recipient(dn: string): RecipientRow | null | undefined {
    return this.recipients.get(dn);
  }

  clear(): void {
    this.routes.clear();
    this.aliases.clear();
    this.recipients.clear();
  }
}

/** A user's row takes about as much memory as sixteen members. */
function weightOf(row: RecipientRow): number {
  if (row.kind === 'user') return 1;
  return 1 + ((row.members?.length ?? 0) + (row.addressMembers?.length ?? 0)) / 16;
}
