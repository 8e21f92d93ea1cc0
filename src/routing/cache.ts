// The directory cache of one thread: the two tables through a reader, with the recent rows in memory.
//
// In      this thread's reader; the committed revision in shared memory
// Out     resolutions, logins
// Asks    where another has the say about a domain (directory/source/authority.ts): of what is not known here, or would be refused
//         for good. The way of an address that is found is the same, but where only what was asked for is here
// States  the memory holds rows of exactly one committed state; before anything is asked at a later one, what has changed
//         since is forgotten, key by key
// Limits  RECENT_MAX rows of each kind are sure to be kept, twice as many may be; a long list counts as many rows
// Never   answers from a state older than the revision that was published when it was called

import { asciiLower } from '../base/characters.ts';
import type { AccountId, PublishedRevision, Revision } from '../base/ids.ts';
import type { Awaitable, Reader } from '../database/operation.ts';
import type { AuthorityQuestion, DirectoryAuthority } from '../directory/source/authority.ts';
import { type Address, addressKey, tryParseAddress } from '../message/address.ts';
import { readState } from './generation.ts';
import { changedKeysAfter, type HistoryKind } from './history.ts';
import type { Member } from './list-members.ts';
import { listTables, UnknownLists } from './list-tables.ts';
import { type Login, loginOf } from './login.ts';
import { arePlainSettings, isPlainRoute, isPlainUser, plainResolution } from './plain.ts';
import {
  type Resolution,
  type ResolveOptions,
  type RouteRequest,
  type RoutingTables,
  resolve,
  type Site,
} from './resolve.ts';
import { isOver, resolveAsking } from './resolve-asking.ts';
import { type RecipientRow, type RouteRow, SITE_POSTMASTER } from './rows.ts';
import { readSettings } from './setting-rows.ts';
import { type RoutingSettings, settingsOf } from './settings.ts';
import { type AliasRow, readAlias, readAliasAt, readRecipient, readRoute } from './tables.ts';
import { mayBeToken } from './tokens.ts';
import { withRoute } from './with-route.ts';

const RECENT_MAX = 20_000;
/** Members of a list that are asked for at a time: others ask for theirs meanwhile. */
const ASKED_AT_ONCE = 16;
/**
 * More changes than these are not followed one by one: everything is forgotten. A commit of an import has 500 entries with an
 * address or some each; to read that many keys takes less than to read the rows again that mail asks for.
 */
const CHANGES_MAX = 5000;

/** What is counted of a cache. */
export type RoutingCount = 'row-read' | 'forgotten-all';

export interface RoutingCacheParts {
  readonly reader: Reader;
  /** The committed routing revision, published before any acknowledgement. Only its changes matter. */
  readonly revision: () => PublishedRevision;
  readonly site: Site;
  readonly count?: (what: RoutingCount, count?: number) => void;
  /** Absent: our tables alone decide. */
  readonly authority?: DirectoryAuthority | undefined;
}

export class RoutingCache {
  readonly #reader: Reader;
  readonly #revision: () => PublishedRevision;
  readonly #site: Site;
  readonly #memory = new Memory();
  readonly #count: (what: RoutingCount, count?: number) => void;
  readonly #authority: DirectoryAuthority | undefined;
  #published: number | undefined;
  /** Of the state that the memory mirrors; undefined when the memory is empty. */
  #state: { readonly generation: number; readonly revision: Revision } | undefined;

  constructor(parts: RoutingCacheParts) {
    this.#reader = parts.reader;
    this.#revision = parts.revision;
    this.#site = parts.site;
    this.#count = parts.count ?? (() => {});
    this.#authority = parts.authority;
  }

  /**
   * A promise where an authority has to be asked: a read takes microseconds. Throws `unavailable` when the tables cannot be
   * read: never a permanent refusal.
   */
  resolve(address: Address, request: RouteRequest, options: ResolveOptions = {}): Awaitable<Resolution> {
    const authority = this.#authority?.isIdle === false ? this.#authority : undefined;
    if (options.explain !== true && options.rule === undefined && authority?.over(address.domain) !== 'everything') {
      const account = this.#plainAccount(address);
      if (account !== undefined) return plainResolution(address, account);
    }
    if (authority === undefined) return this.#resolve(address, request, options);
    return resolveAsking(authority, (isUnsure) => this.#resolve(address, request, { ...options, isUnsure }));
  }

  /** Whether another has the say about some domain: what the writer cannot settle alone is asked for here before. */
  get isAsking(): boolean {
    return this.#authority?.isIdle === false;
  }

  /**
   * Members of a list over whom another has the say are here, as far as they are there, when it resolves. Rejects `unavailable`
   * for one whom nobody can be asked about and who would be left out without a word: whoever is meant by his DN.
   */
  async askMembers(members: readonly Member[]): Promise<void> {
    const authority = this.#authority;
    if (authority === undefined || authority.isIdle) return;
    const asked = members.filter((member) => this.#isAsked(authority, member));
    for (let at = 0; at < asked.length; at += ASKED_AT_ONCE)
      await Promise.all(asked.slice(at, at + ASKED_AT_ONCE).map((member) => this.#askMember(authority, member)));
  }

  #isAsked(authority: DirectoryAuthority, member: Member): boolean {
    const question = questionOf(member);
    const over = question && isOver(authority, question);
    if (question === undefined || over === undefined) return false;
    return !this.#isMemberKnown(member) || (over === 'everything' && !authority.isFresh(question));
  }

  async #askMember(authority: DirectoryAuthority, member: Member): Promise<void> {
    const isKnown = this.#isMemberKnown(member);
    try {
      await authority.ask(questionOf(member)!, isKnown);
    } catch (error) {
      // One who is known gets it as he is; an address that is not known waits in a row of its own.
      if (!isKnown && 'dn' in member) throw error;
    }
  }

  #isMemberKnown(member: Member): boolean {
    return this.#answer((tables) => {
      const key = 'dn' in member ? undefined : questionOf(member);
      const row =
        'dn' in member ? tables.recipient(member.dn) : key && 'address' in key ? tables.alias(key.address) : null;
      return row === undefined ? undefined : { isKnown: row !== null };
    }).isKnown;
  }

  #resolve(address: Address, request: RouteRequest, options: ResolveOptions): Resolution {
    return this.#answer(
      (tables, askMax) => {
        const given = askMax === undefined ? options : { ...options, askMax };
        const answer = resolve(address, request, tables, this.#site, given);
        return 'resolution' in answer ? answer.resolution : undefined;
      },
      () => this.#loadClaimant(address),
    );
  }

  /** As it would be if this row stood there; of another domain than any that does. */
  resolveWith(row: RouteRow, address: Address, request: RouteRequest): Resolution {
    return this.#answer((tables) => {
      const answer = resolve(address, request, withRoute(tables, row), this.#site);
      return 'resolution' in answer ? answer.resolution : undefined;
    });
  }

  /** Whose mailbox it is, where the memory says so and nothing else of these rows counts: see plain.ts. */
  #plainAccount(address: Address): AccountId | undefined {
    this.#keepUp();
    return this.#state === undefined ? undefined : this.#memory.plainAccount(address);
  }

  /** The user entry that a login names: any of its addresses in any case, by another name of the domain too; `postmaster` is the site's. */
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

  /** Rules, channels and hosts as they are now. */
  settings(): RoutingSettings {
    return this.#answer((tables) => {
      const settings = tables.settings();
      return settings && { settings };
    }).settings;
  }

  get site(): Site {
    return this.#site;
  }

  /**
   * `ask` answers from what it is given; undefined when that does not hold enough. `load` may put what is probably missing
   * into the memory, as of the state that it mirrors.
   */
  #answer<T>(ask: (tables: RoutingTables, askMax?: number) => T | undefined, load?: () => boolean): T {
    this.#keepUp();
    const known = this.#state === undefined ? undefined : ask(this.#memory, 1);
    if (known !== undefined) return known;
    if (load?.()) {
      const completed = ask(this.#memory, 1);
      if (completed !== undefined) return completed;
    }
    return this.#reader.snapshot(() => {
      const tables = this.#loading();
      const loaded = ask(tables);
      if (loaded === undefined) throw new Error('the tables were loaded and still asked for');
      return loaded;
    });
  }

  /** What has been published since is forgotten. */
  #keepUp(): void {
    const published = this.#revision();
    if (published === this.#published) return;
    if (this.#state !== undefined) this.#reader.snapshot(() => this.#catchUp());
    this.#published = published;
  }

  /**
   * What is missing of an address in a known domain is nearly always who claims it. One statement, good only at the revision
   * that the memory mirrors, spares the transaction with several: a tenth to a fifth of such a resolution.
   */
  #loadClaimant(address: Address): boolean {
    const state = this.#state;
    const route = this.#memory.route(address.domain);
    if (state === undefined || !route || route.aliasOf !== undefined) return false;
    const key = addressKey(address);
    if (this.#memory.alias(key) !== undefined) return false;
    const found = readAliasAt(this.#reader, state, key);
    if (found === undefined) return false;
    this.#count('row-read');
    this.#memory.learn(key, found);
    return true;
  }

  /** Inside a snapshot: from here on the memory mirrors the state that is read. Gives the generation that answers. */
  #catchUp(): number {
    const known = this.#state;
    if (known !== undefined && this.#reader.routingRevision() === known.revision) return known.generation;
    const { generation, revision, historyFrom } = readState(this.#reader);
    if (known !== undefined) {
      const changed =
        known.revision < historyFrom ? undefined : changedKeysAfter(this.#reader, known.revision, CHANGES_MAX + 1);
      if (changed === undefined || changed.length > CHANGES_MAX) {
        this.#memory.clear();
        this.#count('forgotten-all');
      } else for (const { kind, key } of changed) this.#memory.forget(kind, key);
    }
    this.#state = { generation, revision };
    return generation;
  }

  /** Inside a snapshot. */
  #loading(): RoutingTables {
    const generation = this.#catchUp();
    const reader = this.#reader;
    const memory = this.#memory;
    const counted = <T>(row: T): T => {
      this.#count('row-read');
      return row;
    };
    const entry = (dn: string) => memory.recipients.find(dn, () => counted(readRecipient(reader, generation, dn)));
    return {
      ...listTables(reader, generation, (rows) => this.#count('row-read', rows)),
      route(domain) {
        const known = memory.route(domain);
        return known === undefined ? memory.learnRoute(domain, counted(readRoute(reader, generation, domain))) : known;
      },
      alias(key) {
        const known = memory.alias(key);
        if (known !== undefined) return known;
        const dn = memory.dnOf(key);
        if (dn !== undefined) return entry(dn);
        const found = counted(readAlias(reader, generation, key));
        memory.learn(key, found);
        return found?.row ?? null;
      },
      recipient: entry,
      settings: () => {
        this.#memory.loadedSettings ??= settingsOf(counted(readSettings(reader, generation)), this.#site.fileRules);
        return this.#memory.loadedSettings;
      },
    };
  }

  #userOf(login: string, tables: RoutingTables): RecipientRow | null | undefined {
    if (asciiLower(login) === SITE_POSTMASTER) return tables.alias(SITE_POSTMASTER);
    const address = tryParseAddress(login);
    if (address === undefined) return null;
    const own = tables.alias(addressKey(address));
    const found = own === null ? byOtherName(address, tables) : own;
    // Whose address it is will be asked first.
    const row = found?.isByName === true ? null : found;
    const isSitePostmaster =
      asciiLower(address.localPart) === SITE_POSTMASTER && this.#site.hostnames.includes(address.domain);
    return row === null && isSitePostmaster ? tables.alias(SITE_POSTMASTER) : row;
  }
}

/** Who has the address, by another name of its domain. Undefined when a row that is needed is not loaded. */
function byOtherName({ localPart, domain }: Address, tables: RoutingTables): RecipientRow | null | undefined {
  const route = tables.route(domain);
  if (route === undefined) return undefined;
  const aliasOf = route?.aliasOf ?? '';
  return aliasOf === '' ? null : tables.alias(addressKey({ localPart, domain: aliasOf }));
}

/** Undefined for a text that is no address. */
function questionOf(member: Member): AuthorityQuestion | undefined {
  if ('dn' in member) return { dn: member.dn };
  const address = tryParseAddress(member.address);
  return address && { address: addressKey(address) };
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
    if (older !== undefined) this.keep(key, older);
    return older;
  }

  find(key: string, read: () => T | null): T | null {
    const known = this.get(key);
    if (known !== undefined) return known;
    const value = read();
    this.keep(key, value);
    return value;
  }

  forget(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  keep(key: string, value: T | null): void {
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

interface KnownRoute {
  readonly row: RouteRow;
  readonly isPlain: boolean;
}

/** Whom an address leads to. The row holds as long as no row of an entry has been forgotten since. */
interface Claimant {
  readonly dn: string;
  row: RecipientRow;
  /** See plain.ts. */
  plainAccount: AccountId | undefined;
  forgotten: number;
}

/** What is asked of lists is never remembered. */
class Memory extends UnknownLists implements RoutingTables {
  readonly #routes = new Recent<KnownRoute>();
  readonly #claimants = new Recent<Claimant>();
  /** Normalized DN -> row. */
  readonly recipients = new Recent<RecipientRow>(weightOf);
  /** How often a row of an entry has been forgotten. */
  #forgotten = 0;
  #settings: RoutingSettings | undefined;
  #arePlain = false;

  get loadedSettings(): RoutingSettings | undefined {
    return this.#settings;
  }

  set loadedSettings(settings: RoutingSettings | undefined) {
    this.#settings = settings;
    this.#arePlain = settings !== undefined && arePlainSettings(settings);
  }

  plainAccount(address: Address): AccountId | undefined {
    if (!this.#arePlain || this.#routes.get(address.domain)?.isPlain !== true) return undefined;
    return this.#claimant(addressKey(address))?.plainAccount;
  }

  route(domain: string): RouteRow | null | undefined {
    const known = this.#routes.get(domain);
    return known ? known.row : known;
  }

  alias(key: string): RecipientRow | null | undefined {
    const claimant = this.#claimant(key);
    return claimant ? claimant.row : claimant;
  }

  /** Undefined where its row has to be read again: dnOf says whose. */
  #claimant(key: string): Claimant | null | undefined {
    const claimant = this.#claimants.get(key);
    if (!claimant || claimant.forgotten === this.#forgotten) return claimant;
    const row = this.recipients.get(claimant.dn);
    if (!row) return undefined;
    if (row !== claimant.row) {
      claimant.row = row;
      claimant.plainAccount = plainAccountOf(key, row);
    }
    claimant.forgotten = this.#forgotten;
    return claimant;
  }

  dnOf(key: string): string | undefined {
    return this.#claimants.get(key)?.dn;
  }

  recipient(dn: string): RecipientRow | null | undefined {
    return this.recipients.get(dn);
  }

  settings(): RoutingSettings | undefined {
    return this.#settings;
  }

  learnRoute(domain: string, row: RouteRow | null): RouteRow | null {
    this.#routes.keep(domain, row && { row, isPlain: isPlainRoute(row) });
    return row;
  }

  learn(key: string, found: AliasRow | null): void {
    if (found === null) {
      this.#claimants.keep(key, null);
      return;
    }
    const { dn, row } = found;
    this.#claimants.keep(key, { dn, row, plainAccount: plainAccountOf(key, row), forgotten: this.#forgotten });
    this.recipients.keep(dn, row);
  }

  forget(kind: HistoryKind, key: string): void {
    switch (kind) {
      case 'route':
        this.#routes.forget(key);
        return;
      case 'alias':
        this.#claimants.forget(key);
        return;
      case 'entry':
        this.recipients.forget(key);
        this.#forgotten++;
        return;
      default:
        this.loadedSettings = undefined;
    }
  }

  clear(): void {
    this.#routes.clear();
    this.#claimants.clear();
    this.recipients.clear();
    this.loadedSettings = undefined;
  }
}

function plainAccountOf(key: string, row: RecipientRow): AccountId | undefined {
  return row.kind === 'user' && isPlainUser(row) && !mayBeToken(key) ? row.account : undefined;
}

/** A user's row takes about as much memory as sixteen of those that a list's rules name. */
function weightOf(row: RecipientRow): number {
  const rules = row.kind === 'group' ? row.rules : undefined;
  if (rules === undefined) return 1;
  return 1 + Object.values(rules).reduce((sum, rule) => sum + (Array.isArray(rule) ? rule.length : 0), 0) / 16;
}
