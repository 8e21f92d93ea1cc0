// The provider's feed, followed without end: all of its directory at the first time, then what changes.
//
// In      a search with content synchronization (RFC 4533) of the whole tree; the cookie that the last one ended with
// Out     pages for the writer, at most PAGE_ENTRIES each; of what changes from then on whole commits, to LIVE_ENTRIES; and the revision up to which all is here
// States  connecting -> refresh -> persist -> lost -> again in RETRY_MS, twice as long each time, up to RETRY_MAX_MS; who needs it
//         sooner has it tried at once, AGAIN_MS after the last try
// Alive   a provider that has nothing to say is asked each ALIVE_MS whether it is there: one that hangs is as silent
// Errors  none while it runs: what the provider does not give is said in the log, and what is here goes on. Entries that cannot
//         stand here in the order in which they come, since they have swapped addresses, are taken together; else an entry is tried
//         again behind the others of its page, and one that never can is named in the log and left out
// Never   takes a refresh for whole before the provider has said so

import { asciiLower } from '../../base/characters.ts';
import type { Clock } from '../../base/clock.ts';
import { asFailure, Failure } from '../../base/failure.ts';
import { idOf, type Revision } from '../../base/ids.ts';
import { SERVER_CHANGES_MAX } from '../../base/limits.ts';
import type { Log } from '../../base/log.ts';
import type { Reader, Writer } from '../../database/operation.ts';
import { formatCsn } from '../../directory/csn.ts';
import { entriesAfter } from '../../directory/entries.ts';
import type { MirroredEntry } from '../../directory/mirrored-change.ts';
import { LdapConnection, type LdapServers, resultText, type SearchItem } from '../../directory/source/connection.ts';
import { UuidSet } from '../../directory/source/uuid-set.ts';
import { controlOf } from '../../wire/ldap/controls/codec.ts';
import { manageDsaIt } from '../../wire/ldap/controls/manage-dsa-it.ts';
import { zoneMarks } from '../../wire/ldap/controls/zone-marks.ts';
import { parseFilter } from '../../wire/ldap/filter-text.ts';
import { resultCodes } from '../../wire/ldap/result-codes.ts';
import { ZONES_VERSION } from '../../zones/compile.ts';
import type { ZoneMark } from '../../zones/marks.ts';
import { parseZonesTold, type ToldChange, type ZonesTold } from '../../zones/told.ts';
import { providedEntry } from './entry-of.ts';
import {
  type FollowedChange,
  type FollowedPage,
  type Position,
  positionOf,
  providerCookie,
  type Reached,
  takeProvided,
} from './position.ts';

const PAGE_ENTRIES = 500;
/** A list of changes of one commit there is one here too. */
const LIVE_ENTRIES = SERVER_CHANGES_MAX;
const PAGE_BYTES = 16 * 1024 * 1024;
const RETRY_MS = 1000;
const RETRY_MAX_MS = 60_000;
const AGAIN_MS = 1000;
const ALIVE_MS = 10_000;
const RID = 'rid=001';
const ANY = parseFilter('(objectClass=*)');
/** RFC 4511 §4.5.1.8 */
const NO_ATTRIBUTES = '1.1';

type TakenPage = Required<Pick<FollowedPage, 'changes' | 'zoneMarks'>>;

/** So many of what has come are all up to this position. */
interface Told {
  readonly position: Position;
  readonly count: number;
  readonly marks: number;
  readonly zoneChanges: number;
  /** What has changed in the zones is not known from the cookie before on. */
  readonly isUnknown: boolean;
  /** Of what has come by then. */
  readonly newest: number;
}

export interface FeedParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly log: Log;
  readonly clock: Clock;
  readonly servers: LdapServers;
  /** What a login here has asked for about the entry of this name, in lower case. */
  readonly askedHere: (dn: string) => Pick<FollowedChange, 'session' | 'samePassword'> | undefined;
}

export interface FeedState {
  /** `current`: all is here, but for what is on its way; `refreshing`: connected, and being told; `retrying`: not connected. */
  readonly state: 'current' | 'refreshing' | 'retrying';
  /** Of the state, but that a refresh is one that is connected. Epoch milliseconds. */
  readonly since: number;
  /** Up to this change sequence number all is here; null: nothing was ever whole. */
  readonly csn: string | null;
  /** How old a change there may be that is not here; null: nothing was ever whole. */
  readonly lagMs: number | null;
  readonly lastError: string | null;
}

export class ProviderFeed {
  readonly #parts: FeedParts;
  /** Up to here all is told, and here. */
  #reached: Position | undefined;
  #isLive = false;
  #isConnected = false;
  /** Of being connected or not. */
  #since: number;
  /** When all was here for the last time, by the clock. */
  #wholeAt: number | undefined;
  #lastError: string | undefined;
  #connection: LdapConnection | undefined;
  #isStopped = false;
  /** By the monotonic clock, of the last try to connect. */
  #triedAt = 0;
  #pause: { readonly end: () => void; timer: NodeJS.Timeout } | undefined;
  #running: Promise<void> | undefined;
  #waiting = new Set<() => void>();
  /** Of the refresh under way: who was named. */
  #named: UuidSet | undefined;
  #changes: FollowedChange[] = [];
  /** Roughly, of the changes. */
  #bytes = 0;
  /** They come behind the changes that they are of. */
  #marks: ZoneMark[] = [];
  /** Since the last cookie that is here; a commit without one leaves them. */
  #zoneChanges: ToldChange[] = [];
  /** From the last cookie on they are not all told. */
  #lacksZoneChanges = true;
  /** The provider's rows of zones are such as here. */
  #readsZones = false;
  /** The highest revision of what has come. */
  #newest = 0;
  #told: Told | undefined;
  /** Never rejects. */
  #committing: Promise<void> | undefined;
  /** Why a commit has failed: what comes behind it on this connection would hide the gap. */
  #failed: Failure | undefined;

  constructor(parts: FeedParts) {
    this.#parts = parts;
    this.#reached = positionOf(providerCookie(parts.reader));
    this.#since = parts.clock.now();
  }

  get reached(): Revision | undefined {
    return this.#reached?.revision;
  }

  get state(): FeedState {
    const now = this.#parts.clock.now();
    const csn = this.#reached && formatCsn(this.#reached.revision, this.#reached.at);
    // Of before the start: what was logged there last is as old as this at least.
    const wholeAt = this.#wholeAt ?? this.#reached?.at;
    return {
      state: this.#isLive ? 'current' : this.#isConnected ? 'refreshing' : 'retrying',
      since: this.#since,
      csn: csn ?? null,
      lagMs: wholeAt === undefined ? null : Math.max(0, now - wholeAt),
      lastError: this.#lastError ?? null,
    };
  }

  /** Somebody waits for what only the provider has: where it is to be tried again, then now. */
  hurry(): void {
    if (this.#pause === undefined) return;
    clearTimeout(this.#pause.timer);
    const waitMs = Math.max(0, this.#triedAt + AGAIN_MS - performance.now());
    this.#pause.timer = setTimeout(this.#pause.end, waitMs);
  }

  /** Whether the provider still answers on this connection; one that does not is given up. */
  async prove(): Promise<void> {
    const connection = this.#connection;
    if (connection?.isOpen !== true || !this.#isLive) return;
    const asked = this.#parts.clock.now();
    try {
      const search = connection.search({ baseObject: '', scope: 'base', filter: ANY, attributes: [NO_ATTRIBUTES] });
      for await (const _ of search);
      if (this.#isLive && this.#connection === connection && this.#isIdle) this.#wholeAt = asked;
    } catch {
      connection.close();
    }
  }

  /** All that was told is here. */
  get #isIdle(): boolean {
    return this.#committing === undefined && this.#changes.length === 0;
  }

  /** Resolves when all is here for the first time. Rejects with what is in the way. */
  async first(): Promise<void> {
    if (this.#reached !== undefined) return;
    // What is here from now on is the provider's, also where this does not come to its end.
    await this.#parts.writer.execute(takeProvided, {
      changes: [],
      reached: { cookie: RID, revision: idOf<Revision>(0) },
    });
    await this.#follow('refreshOnly');
    if (this.#reached === undefined)
      throw new Failure('unavailable', 'The server that is followed gives no end of its entries');
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#connection?.close();
    this.#pause?.end();
    await this.#running;
  }

  /**
   * True when all up to this revision is here; false when it is not in this time. After a break the position that was reached
   * may be of another history, where the provider has come back from a backup: it counts again when the refresh is whole.
   */
  async has(revision: Revision, withinMs: number): Promise<boolean> {
    const until = performance.now() + withinMs;
    while (!this.#isLive || (this.#reached?.revision ?? 0) < revision) {
      const left = until - performance.now();
      if (left <= 0 || this.#isStopped) return false;
      await this.#moved(left);
    }
    return true;
  }

  #moved(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      this.#waiting.add(done);
    });
  }

  async #run(): Promise<void> {
    const { log, servers } = this.#parts;
    for (let waitMs = RETRY_MS; !this.#isStopped; ) {
      try {
        await this.#follow('refreshAndPersist');
      } catch (error) {
        const { message, detail } = asFailure(error);
        if (this.#isStopped) return;
        if (this.#isLive) waitMs = RETRY_MS;
        this.#lastError = message;
        log.warn('directory.follow', {
          provider: servers.urls[0],
          error: message,
          ...(detail === undefined ? {} : { detail }),
        });
      }
      this.#isLive = false;
      if (this.#isStopped) return;
      await this.#rest(waitMs);
      waitMs = Math.min(RETRY_MAX_MS, waitMs * 2);
    }
  }

  #rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(this.#pause?.timer);
        this.#pause = undefined;
        resolve();
      };
      this.#pause = { end, timer: setTimeout(end, ms) };
    });
  }

  #connected(isConnected: boolean): void {
    if (this.#isConnected === isConnected) return;
    this.#isConnected = isConnected;
    this.#since = this.#parts.clock.now();
  }

  async #follow(mode: 'refreshOnly' | 'refreshAndPersist'): Promise<void> {
    this.#triedAt = performance.now();
    const connection = await LdapConnection.open(this.#parts.servers);
    this.#connection = connection;
    this.#connected(true);
    this.#isLive = false;
    await this.#committing;
    this.#failed = undefined;
    this.#changes = [];
    this.#bytes = 0;
    this.#marks = [];
    this.#zoneChanges = [];
    this.#lacksZoneChanges = false;
    this.#readsZones = false;
    this.#newest = 0;
    this.#told = undefined;
    this.#named = new UuidSet();
    const known = providerCookie(this.#parts.reader);
    const cookie = Buffer.from(known ?? RID, 'utf8');
    const alive = setInterval(() => void this.prove(), ALIVE_MS).unref();
    try {
      if (this.#isStopped) return;
      const search = connection.search(
        { baseObject: '', scope: 'sub', filter: ANY, attributes: ['*', '+', 'waypostEntryFacts'] },
        {
          sync: { mode, cookie, reloadHint: true },
          controls: [controlOf(manageDsaIt, true, true), controlOf(zoneMarks, { since: this.#zonesSince() })],
        },
      );
      for await (const item of search) await this.#take(item);
      const { result, sync } = search.outcome;
      if (result.resultCode !== resultCodes.success)
        throw new Failure('unavailable', `The server that is followed ends its feed: ${resultText(result)}`);
      await this.#refreshed(sync?.cookie, sync?.refreshDeletes === true);
    } finally {
      clearInterval(alive);
      this.#connected(false);
      connection.close();
    }
  }

  async #take(item: SearchItem): Promise<void> {
    switch (item.kind) {
      case 'reference':
        return;
      case 'zone-marks': {
        const told = parseZonesTold(item.octets);
        if (told === undefined)
          throw new Failure('unavailable', 'The server that is followed gives marks of zones that are none');
        this.#takeZones(told);
        return this.#page(undefined);
      }
      case 'entry': {
        const { entry, sync } = item;
        if (sync === undefined)
          throw new Failure('unavailable', 'The server that is followed gives an entry without its state');
        if (sync.state === 'delete') this.#gone(sync.uuid, sync.cookie);
        else {
          this.#named?.add(sync.uuid);
          if (sync.state !== 'present') this.#put(entry, sync.uuid);
        }
        await this.#page(sync.cookie);
        return;
      }
      case 'info': {
        const { info } = item;
        switch (info.kind) {
          case 'newCookie':
            return this.#page(info.cookie);
          case 'syncIdSet':
            for (const uuid of info.uuids)
              if (info.refreshDeletes) this.#gone(uuid, info.cookie);
              else this.#named?.add(uuid);
            return this.#page(info.cookie);
          default:
            if (info.refreshDone) await this.#refreshed(info.cookie, info.kind === 'refreshDelete');
            else if (info.kind === 'refreshPresent') await this.#removeUnnamed(info.cookie);
            else await this.#page(info.cookie);
        }
      }
    }
  }

  /** What moves names here by itself is to be undone: all marks are asked for then. */
  #zonesSince(): Revision | undefined {
    const { revision } = positionOf(providerCookie(this.#parts.reader)) ?? {};
    return this.#parts.reader.revision() === revision ? revision : undefined;
  }

  #takeZones({ begins, marks, changes }: ZonesTold): void {
    if (begins !== undefined) {
      this.#readsZones = begins.version === ZONES_VERSION;
      this.#lacksZoneChanges = begins.isWhole;
    }
    this.#marks.push(...marks);
    for (const { changed, changedBelow } of marks) this.#newest = Math.max(this.#newest, changed, changedBelow);
    if (this.#lacksZoneChanges) return;
    if (this.#zoneChanges.length + changes.length <= LIVE_ENTRIES) this.#zoneChanges.push(...changes);
    else this.#lacksZoneChanges = true;
  }

  #put(found: Extract<SearchItem, { kind: 'entry' }>['entry'], uuid: string): void {
    const provided = providedEntry(found, uuid);
    if (provided === undefined)
      throw new Failure('unavailable', 'The server that is followed gives an entry without its revision', {
        detail: found.dn,
      });
    const { entry, revision, at } = provided;
    this.#changes.push({
      change: { kind: 'put', entry },
      revision,
      at,
      ...this.#parts.askedHere(entry.dn.toLowerCase()),
    });
    this.#bytes += sizeOfEntry(entry);
    this.#newest = Math.max(this.#newest, revision);
  }

  #gone(uuid: string, cookie: Uint8Array | undefined): void {
    const at = positionOf(cookie && Buffer.from(cookie).toString('utf8'))?.at ?? 0;
    this.#changes.push({ change: { kind: 'removal', uuid }, revision: undefined, at });
  }

  /** The end of a refresh. What was neither named nor deleted is gone, where deletions were not named. */
  async #refreshed(cookie: Uint8Array | undefined, namesDeletions: boolean): Promise<void> {
    if (!namesDeletions) await this.#removeUnnamed(undefined);
    this.#named = undefined;
    await this.#page(cookie);
    await this.#committed();
    this.#isLive = true;
    this.#wholeAt = this.#parts.clock.now();
    this.#lastError = undefined;
    for (const done of this.#waiting) done();
  }

  async #removeUnnamed(cookie: Uint8Array | undefined): Promise<void> {
    const named = this.#named;
    if (named === undefined) return;
    await this.#flush();
    const gone: string[] = [];
    for (let after = 0, page = PAGE_ENTRIES; page === PAGE_ENTRIES; ) {
      const entries = entriesAfter(this.#parts.reader, after, PAGE_ENTRIES);
      page = entries.length;
      after = entries.at(-1)?.id ?? after;
      for (const { uuid } of entries) if (!named.has(uuid)) gone.push(uuid);
      await new Promise((turn) => setImmediate(turn));
    }
    for (const uuid of gone) {
      this.#gone(uuid, cookie);
      if (this.#changes.length >= PAGE_ENTRIES) await this.#flush();
    }
    await this.#page(cookie);
  }

  /** All that has come is here. */
  async #flush(): Promise<void> {
    await this.#committed();
    await this.#commit(this.#taken(undefined), undefined);
  }

  async #committed(): Promise<void> {
    await this.#committing;
    if (this.#failed !== undefined) throw this.#failed;
  }

  /** With a cookie, or enough of it: to the writer, which takes what has come while it was busy at one go. */
  async #page(cookie: Uint8Array | undefined): Promise<void> {
    if (this.#failed !== undefined) throw this.#failed;
    const position = positionOf(cookie && Buffer.from(cookie).toString('utf8'));
    if (position !== undefined) this.#tell(position);
    const isFull = this.#isFull;
    if (position === undefined && !isFull) return;
    this.#committing ??= this.#commitAll();
    if (isFull) await this.#committed();
  }

  #tell(position: Position): void {
    const isUnknown = this.#told?.isUnknown === true || this.#lacksZoneChanges || !this.#readsZones;
    const [count, marks, zoneChanges] = [this.#changes.length, this.#marks.length, this.#zoneChanges.length];
    this.#told = { position, count, marks, zoneChanges, isUnknown, newest: this.#newest };
    this.#lacksZoneChanges = false;
  }

  get #isFull(): boolean {
    const entriesMax = this.#isLive ? LIVE_ENTRIES : PAGE_ENTRIES;
    return this.#changes.length + this.#marks.length >= entriesMax || this.#bytes >= PAGE_BYTES;
  }

  /** What is all up to a position; without one whatever there is. */
  #taken(told: { readonly count: number; readonly marks: number } | undefined): TakenPage {
    const changes = this.#changes.splice(0, told?.count ?? this.#changes.length);
    this.#bytes = Math.max(0, this.#bytes - sizeOf(changes));
    if (this.#changes.length === 0) this.#bytes = 0;
    return { changes, zoneMarks: this.#marks.splice(0, told?.marks ?? this.#marks.length) };
  }

  async #commitAll(): Promise<void> {
    try {
      while (this.#told !== undefined || this.#isFull) {
        const told = this.#told;
        this.#told = undefined;
        await this.#commit(this.#taken(told), told);
      }
    } catch (error) {
      this.#failed = asFailure(error);
      this.#connection?.close();
    } finally {
      this.#committing = undefined;
    }
  }

  async #commit({ changes, zoneMarks: marks }: TakenPage, told: Told | undefined): Promise<void> {
    const position = told?.position;
    const reached = told && this.#reachedBy(told);
    if (
      changes.length + marks.length === 0 &&
      (position === undefined || position.revision === this.#reached?.revision)
    )
      return;
    try {
      await this.#write({ changes, zoneMarks: marks, reached });
    } catch (error) {
      if (isOfStore(error)) throw error;
      const last = lastOfEach(changes);
      if (last.length < 2 || !(await this.#together(last))) await this.#oneByOne(last);
      await this.#write({ changes: [], zoneMarks: marks, reached });
    }
    if (position === undefined) return;
    this.#reached = position;
    if (this.#isLive) this.#wholeAt = this.#parts.clock.now();
    for (const done of this.#waiting) done();
  }

  #reachedBy({ position: { cookie, revision }, zoneChanges, isUnknown, newest }: Told): Reached {
    const changes = this.#zoneChanges.splice(0, zoneChanges);
    return { cookie, revision, zoneChanges: isUnknown ? undefined : changes, isBehind: newest > revision };
  }

  #write(page: FollowedPage): Promise<void> {
    return this.#parts.writer.execute(takeProvided, page, sizeOf(page.changes) + sizeOfZones(page));
  }

  /**
   * In any order in which they can stand: a name or an address may first have to be left by another. Those that have swapped
   * addresses stand in none, and go together.
   */
  async #oneByOne(changes: readonly FollowedChange[]): Promise<void> {
    let left = changes;
    for (let before = -1; left.length !== before && left.length > 0; ) {
      before = left.length;
      const again: FollowedChange[] = [];
      for (const change of left)
        try {
          await this.#write({ changes: [change], reached: undefined });
        } catch (error) {
          if (isOfStore(error)) throw error;
          again.push(change);
          this.#lastError = asFailure(error).message;
        }
      left = again;
    }
    if (left.length > 1 && (await this.#together(left))) return;
    for (const { change } of left)
      this.#parts.log.error('directory.follow', { entry: nameOf(change), error: this.#lastError });
  }

  async #together(changes: readonly FollowedChange[]): Promise<boolean> {
    try {
      await this.#write({ changes, haveSwapped: true, reached: undefined });
      return true;
    } catch (error) {
      if (isOfStore(error)) throw error;
      return false;
    }
  }
}

/** Of the changes of one entry the last: what comes too late in another order would undo what came behind it. */
function lastOfEach(changes: readonly FollowedChange[]): readonly FollowedChange[] {
  const last = new Map<string, FollowedChange>();
  for (const each of changes) {
    const uuid = asciiLower(each.change.kind === 'put' ? each.change.entry.uuid : each.change.uuid);
    last.delete(uuid);
    last.set(uuid, each);
  }
  return [...last.values()];
}

function nameOf(change: FollowedChange['change']): string {
  return change.kind === 'put' ? change.entry.dn : change.uuid;
}

/** Not the entry's fault: it is tried again with the next connection. */
function isOfStore(error: unknown): boolean {
  const { kind } = asFailure(error);
  return kind === 'unavailable' || kind === 'full';
}

function sizeOf(changes: readonly FollowedChange[]): number {
  let bytes = 500;
  for (const { change } of changes) bytes += change.kind === 'put' ? sizeOfEntry(change.entry) : 100;
  return bytes;
}

function sizeOfZones({ zoneMarks: marks = [], reached }: FollowedPage): number {
  const texts = (reached?.zoneChanges ?? []).map(({ before }) => 200 + (before?.length ?? 0));
  return texts.reduce((sum, bytes) => sum + bytes, marks.length * 100);
}

function sizeOfEntry({ attributes }: MirroredEntry): number {
  let bytes = 500;
  for (const { values } of attributes) for (const value of values) bytes += value.length + 50;
  return bytes;
}
