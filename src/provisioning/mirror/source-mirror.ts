// One source whose entries are mirrored here: followed while it answers, and tried again while it does not.
//
// In      the source's settings, an open database
// Out     its entries in the directory, page by page with the cookie (mirrored.ts); what `sync status` says of it
// States  waiting (nothing has come yet) -> refreshing -> current -> retrying -> refreshing; `held`: the source has lost more
//         than may go by itself, and the rest of it is followed meanwhile
// Rules   content synchronization where the server has it, and after each break all UUIDs with their CSNs; else what was modified each `waypostPoll`, and all UUIDs each
//         SWEEP_MS. A refresh that would remove over half and over REMOVALS_MAX entries waits for a person's word. Who cannot
//         stand here is left out and named
// Limits  PAGE changes a transaction; tries 1 s to 1 min apart; a server that is silent for 5 s is not there: it is asked for
//         a sign of life each `waypostPoll`
// RFC 4533, RFC 4512 §5.1

import { createHash } from 'node:crypto';
import { asciiLower } from '../../base/characters.ts';
import type { Clock } from '../../base/clock.ts';
import { asFailure, Failure } from '../../base/failure.ts';
import type { Log } from '../../base/log.ts';
import type { Reader, Writer } from '../../database/operation.ts';
import { isAtOrBelow, parseDn } from '../../directory/dn.ts';
import {
  countBelow,
  countMirrored,
  entryByUuid,
  findEntry,
  mirroredEntries,
  mirroredMark,
} from '../../directory/entries.ts';
import type { Entry } from '../../directory/entry.ts';
import { type MirroredChange, type MirroredEntry, nameMeanwhile } from '../../directory/mirrored-change.ts';
import { formatGeneralizedTime, generalizedTimeToMs } from '../../directory/scalars.ts';
import { LdapConnection, type LdapServers } from '../../directory/source/connection.ts';
import { followSync, type SyncPage } from '../../directory/source/consumer.ts';
import { EVERYTHING, modifiedSince, readAll, withUuids } from '../../directory/source/poll.ts';
import { UuidSet } from '../../directory/source/uuid-set.ts';
import { pagedResults } from '../../wire/ldap/controls/paged-results.ts';
import { syncRequest } from '../../wire/ldap/controls/sync.ts';
import type { SearchEntry } from '../../wire/ldap/operations/search.ts';
import type { LdapSource } from '../ldap-source.ts';
import { moveMirroredBelow, takeMirrorPage } from '../mirrored.ts';
import { mirrorCookie } from '../tables.ts';
import { EntryMap, READ } from './mirrored-entry.ts';

export type MirrorState = 'waiting' | 'refreshing' | 'current' | 'retrying' | 'held';

export interface MirrorStatus {
  readonly name: string;
  readonly kind: 'ldap';
  readonly hold: LdapSource['hold'];
  readonly url: string;
  /** How it is followed; null before it has answered. */
  readonly by: 'syncrepl' | 'polling' | null;
  readonly csn: string | null;
  /** How old a change there may be that is not here, milliseconds; null: nothing has come yet. */
  readonly lagMs: number | null;
  /** How old a deletion may be. */
  readonly deletionLagMs: number | null;
  readonly entries: number;
  readonly searches: number;
  readonly state: MirrorState;
  readonly lastError: string | null;
  /** Entries that cannot stand here, and domains that others have: the first hundred. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
}

export interface MirrorParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
  readonly resolver: LdapServers['resolver'];
  /** One more search for a question, at the source of this name. */
  readonly countQuestion?: (source: string) => void;
}

const PAGE = 500;
const READ_PAGE = 1000;
/** Entries below one that is renamed, in one transaction. */
const MOVED_AT_ONCE = 200;
const REMOVALS_MAX = 100;
const REFUSED_MAX = 100;
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 60_000;
const SWEEP_MS = 15 * 60_000;
/** The source's clock has seconds, and its changes may become visible out of order. */
const OVERLAP_MS = 2000;
/** A cookie of ours, of a source that is polled: the last time of a change that was seen there. */
const POLLED = 'polled ';

/** What was taken over otherwise is taken over again: a cookie counts under these settings only. */
function fingerprint({ base, schema, attributes, userFilter, groupFilter }: LdapSource): string {
  const text = JSON.stringify([base, schema, attributes, userFilter, groupFilter]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 12);
}

export class SourceMirror {
  readonly source: LdapSource;
  readonly #parts: MirrorParts;
  readonly #map: EntryMap;
  readonly #settings: string;
  readonly #refused = new Map<string, string>();
  #connection: LdapConnection | undefined;
  #by: MirrorStatus['by'] = null;
  #state: MirrorState = 'waiting';
  #lastError: string | undefined;
  #searches = 0;
  /** By the monotonic clock. */
  #goodAt: number | undefined;
  #sweptAt: number | undefined;
  #acceptsRemovals = false;
  #startsAnew = false;
  #isOver = false;
  #wake = (): void => {};
  readonly #done: Promise<void>;

  constructor(parts: MirrorParts, source: LdapSource) {
    this.#parts = parts;
    this.source = source;
    this.#map = new EntryMap(source);
    this.#settings = `${fingerprint(source)} `;
    this.#done = this.#run();
  }

  status(): MirrorStatus {
    const { name, hold, urls } = this.source;
    const { reader, clock } = this.#parts;
    const cookie = this.#stored();
    const age = (at: number | undefined): number | null =>
      at === undefined ? null : Math.round(clock.monotonic() - at);
    return {
      ...{ name, kind: 'ldap', hold, url: this.#connection?.url ?? urls[0] ?? '', by: this.#by },
      csn: csnOf(cookie),
      lagMs: age(this.#goodAt),
      deletionLagMs: age(this.#by === 'polling' ? this.#sweptAt : this.#goodAt),
      entries: countMirrored(reader, name),
      searches: this.#searches,
      state: this.#state,
      lastError: this.#lastError ?? null,
      refused: [...this.#refused].map(([entry, reason]) => ({ name: entry, reason })),
    };
  }

  #stored(): string | undefined {
    const cookie = mirrorCookie(this.#parts.reader, this.source.name);
    return cookie?.startsWith(this.#settings) === true ? cookie.slice(this.#settings.length) : undefined;
  }

  /** Where to go on from; undefined: from the beginning. */
  #cookie(): string | undefined {
    return this.#startsAnew ? undefined : this.#stored();
  }

  /** All that the source has lost may go, once: it is read anew. */
  acceptRemovals(): void {
    this.#acceptsRemovals = true;
    this.#startsAnew = true;
    this.#connection?.close();
    this.#wake();
  }

  /** Resolves when nothing of it is under way. */
  stop(): Promise<void> {
    this.#isOver = true;
    this.#connection?.close();
    this.#wake();
    return this.#done;
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#isOver; ) {
      const before = this.#goodAt;
      try {
        await this.#follow();
      } catch (error) {
        if (this.#isOver) return;
        if (this.#startsAnew) continue;
        this.#failed(error);
      }
      failures = this.#goodAt === before ? failures + 1 : 1;
      await this.#pause(Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** (failures - 1)));
    }
  }

  #failed(error: unknown): void {
    const failure = asFailure(error);
    // The next try begins without what the server cannot go on from.
    if (failure.kind === 'conflict') this.#startsAnew = true;
    if (this.#lastError !== failure.message || this.#state !== 'retrying')
      this.#parts.log.warn('sync.ldap', {
        source: this.source.name,
        error: failure.message,
        ...(failure.detail === undefined ? {} : { detail: failure.detail }),
      });
    this.#state = 'retrying';
    this.#lastError = failure.message;
  }

  /** Ends by an error, always. */
  async #follow(): Promise<void> {
    const connection = await LdapConnection.open(serversOf(this.source, this.#parts.resolver));
    this.#connection = connection;
    try {
      if (this.#isOver) return;
      const controls = await this.#controls(connection);
      this.#by = controls.has(syncRequest.type) ? 'syncrepl' : 'polling';
      this.#state = 'refreshing';
      if (this.#by === 'syncrepl') await this.#synchronize(connection);
      else await this.#poll(connection, controls.has(pagedResults.type));
    } finally {
      this.#connection = undefined;
      connection.close();
    }
  }

  /** What the server says that it can. */
  async #controls(connection: LdapConnection): Promise<ReadonlySet<unknown>> {
    this.#searches++;
    const asked = { baseObject: '', scope: 'base' as const, filter: EVERYTHING, attributes: ['supportedControl'] };
    for await (const entry of readAll(connection, asked, false))
      return new Set(entry.attributes.flatMap(({ values }) => values));
    return new Set();
  }

  // Content synchronization

  async #synchronize(connection: LdapConnection): Promise<void> {
    const stored = this.#cookie();
    const cookie = stored === undefined || stored.startsWith(POLLED) ? undefined : Buffer.from(stored, 'utf8');
    this.#startsAnew = false;
    this.#searches++;
    const { base } = this.source;
    const life = setInterval(() => void this.#isAlive(connection), this.source.pollMs).unref();
    try {
      for await (const page of followSync(connection, { base, filter: EVERYTHING, attributes: READ, cookie }))
        await this.#takePage(page, connection, cookie !== undefined);
    } finally {
      clearInterval(life);
    }
  }

  /** A server that hangs is silent in a search that goes on for ever, as one is that has nothing to say. */
  async #isAlive(connection: LdapConnection): Promise<void> {
    try {
      await this.#controls(connection);
      if (this.#state === 'current') this.#goodAt = this.#parts.clock.monotonic();
    } catch {
      connection.close();
    }
  }

  /** `goesOn`: the refresh began with a cookie. */
  async #takePage(page: SyncPage, { url }: LdapConnection, goesOn: boolean): Promise<void> {
    const { present, stage, isRefreshed, cookie } = page;
    const gone = present === undefined ? page.removals : [...page.removals, ...this.#without(present)];
    const isHeld = stage === 'refresh' && this.#mustWait(gone.length);
    await this.#take(
      page.puts.map(({ entry, uuid }) => ({ entry, uuid })),
      isHeld ? [] : gone,
    );
    if (isRefreshed && goesOn) await this.#compare(url);
    const isWhole = cookie !== undefined && this.#state !== 'held';
    if (isWhole) await this.#write([], Buffer.from(cookie).toString('utf8'));
    if (isRefreshed || stage === 'persist') this.#succeeded();
  }

  /**
   * A server that was restored from a backup is older than our cookie, and says of what has changed since that it is as we have
   * it. By a connection of its own, to the same server: the other one may rest meanwhile, and another server may be older.
   */
  async #compare(url: string): Promise<void> {
    const connection = await LdapConnection.open({ ...serversOf(this.source, this.#parts.resolver), urls: [url] });
    try {
      const controls = await this.#controls(connection);
      await this.#sweep(connection, controls.has(pagedResults.type));
    } finally {
      connection.close();
    }
  }

  /** UUIDs of entries here that are not among these. */
  #without(present: Pick<UuidSet, 'has'>): string[] {
    const { reader } = this.#parts;
    const gone: string[] = [];
    for (let after = 0; ; ) {
      const page = mirroredEntries(reader, this.source.name, after, READ_PAGE);
      for (const { uuid } of page) if (!present.has(uuid)) gone.push(uuid);
      if (page.length < READ_PAGE) return gone;
      after = page.at(-1)!.id;
    }
  }

  #mustWait(removals: number): boolean {
    if (removals <= REMOVALS_MAX || this.#acceptsRemovals) return false;
    const all = countMirrored(this.#parts.reader, this.source.name);
    if (removals * 2 <= all) return false;
    const { name } = this.source;
    this.#lastError = `${removals} of ${all} entries are gone there: sync --source ${name} --accept-removals removes them`;
    this.#parts.log.warn('sync.ldap', { source: name, error: this.#lastError });
    this.#state = 'held';
    return true;
  }

  #succeeded(): void {
    this.#goodAt = this.#parts.clock.monotonic();
    this.#acceptsRemovals = false;
    if (this.#state === 'held' || this.#state === 'current') return;
    this.#state = 'current';
    this.#lastError = undefined;
    this.#parts.log.info('sync.ldap', {
      source: this.source.name,
      by: this.#by ?? '',
      entries: countMirrored(this.#parts.reader, this.source.name),
    });
  }

  // Polling

  async #poll(connection: LdapConnection, pages: boolean): Promise<void> {
    const { pollMs } = this.source;
    // It may be another one now, or have another's data.
    this.#sweptAt = undefined;
    for (;;) {
      const stored = this.#cookie();
      const since = stored?.startsWith(POLLED) === true ? stored.slice(POLLED.length) : undefined;
      this.#startsAnew = false;
      const began = this.#parts.clock.monotonic();
      const newest = await this.#pollOnce(connection, { pages, since });
      const isDue = this.#sweptAt === undefined || began - this.#sweptAt >= SWEEP_MS || this.#acceptsRemovals;
      if (isDue) {
        await this.#sweep(connection, pages);
        if (this.#state !== 'held') this.#sweptAt = began;
      }
      if (newest !== undefined) await this.#write([], `${POLLED}${newest}`);
      this.#succeeded();
      this.#goodAt = began;
      await this.#pause(pollMs);
      if (this.#isOver || !connection.isOpen) throw new Failure('unavailable', 'closed');
    }
  }

  /** The time of the newest change that was seen. */
  async #pollOnce(
    connection: LdapConnection,
    { pages, since }: { readonly pages: boolean; readonly since: string | undefined },
  ): Promise<string | undefined> {
    const at = since === undefined ? undefined : generalizedTimeToMs(since);
    const filter = at === undefined ? EVERYTHING : modifiedSince(formatGeneralizedTime(at - OVERLAP_MS));
    let newest = since;
    await this.#readInto(connection, filter, pages, (entry) => {
      const time = textOf(entry, 'modifytimestamp');
      if (time !== undefined && (newest === undefined || time > newest)) newest = time;
    });
    return newest;
  }

  async #readInto(
    connection: LdapConnection,
    filter: typeof EVERYTHING | ReturnType<typeof modifiedSince>,
    pages: boolean,
    note: (entry: SearchEntry) => void,
  ): Promise<void> {
    this.#searches++;
    const asked = { baseObject: this.source.base, filter, attributes: READ };
    let puts: { entry: SearchEntry; uuid?: string }[] = [];
    for await (const entry of readAll(connection, asked, pages)) {
      note(entry);
      puts.push({ entry });
      if (puts.length < PAGE) continue;
      await this.#take(puts, []);
      puts = [];
    }
    await this.#take(puts, []);
  }

  /** All that the source has, by UUID: what is missing here or differs is read, what is not there goes. */
  async #sweep(connection: LdapConnection, pages: boolean): Promise<void> {
    const { base, name } = this.source;
    const there = new UuidSet();
    const others: string[] = [];
    this.#searches++;
    const asked = { baseObject: base, filter: EVERYTHING, attributes: ['entryUUID', 'entryCSN', 'modifyTimestamp'] };
    for await (const entry of readAll(connection, asked, pages)) {
      const uuid = textOf(entry, 'entryuuid');
      if (uuid === undefined) continue;
      there.add(uuid);
      const here = mirroredMark(this.#parts.reader, name, uuid);
      const mark = here && (here.csn === '' ? String(here.modifiedAt) : here.csn);
      if (mark !== markOf(textOf(entry, 'entrycsn'), textOf(entry, 'modifytimestamp'))) others.push(uuid);
    }
    const gone = this.#without(there);
    for (const filter of withUuids(others)) await this.#readInto(connection, filter, pages, () => {});
    if (!this.#mustWait(gone.length)) {
      if (this.#state === 'held') this.#state = 'refreshing';
      await this.#take([], gone);
    }
  }

  // Writing

  async #take(
    puts: readonly { readonly entry: SearchEntry; readonly uuid?: string }[],
    removals: readonly string[],
  ): Promise<void> {
    const now = this.#parts.clock.now();
    const changes: MirroredChange[] = [];
    for (const { entry: given, uuid } of puts) {
      const entry = this.#map.take(given, now, uuid);
      if (entry !== undefined) changes.push({ kind: 'put', entry });
    }
    for (const change of changes) if (change.kind === 'put') await this.#moveBelow(change.entry);
    for (const uuid of removals) changes.push({ kind: 'removal', uuid });
    for (let at = 0; at < changes.length; at += PAGE) await this.#write(changes.slice(at, at + PAGE), undefined);
  }

  /** What is below an entry that has another name now, or whose name another has, goes before it where it is much. */
  async #moveBelow({ dn, uuid }: MirroredEntry): Promise<void> {
    const { reader } = this.#parts;
    const known = entryByUuid(reader, uuid);
    const standing = findEntry(reader, dn);
    if (standing !== undefined && standing.uuid !== asciiLower(uuid))
      await this.#moveSlices(standing, nameMeanwhile(standing).text);
    if (known !== undefined && known.normalizedDn !== parseDn(dn).normalized) await this.#moveSlices(known, dn);
  }

  async #moveSlices({ source, dn: from, uuid }: Entry, to: string): Promise<void> {
    const { reader, writer, clock } = this.#parts;
    const { name, dn: author } = this.source;
    const [old, now] = [parseDn(from), parseDn(to)];
    // One that moves to where it, or what is above it, stands is moved whole.
    if (source !== name || isAtOrBelow(old, now) || isAtOrBelow(now, old)) return;
    const move = { from, to, uuid, limit: MOVED_AT_ONCE, source: name, author, now: clock.now() };
    try {
      while (!this.#isOver && countBelow(reader, old, MOVED_AT_ONCE + 1) > MOVED_AT_ONCE)
        if ((await writer.execute(moveMirroredBelow, move)) === 0) return;
    } catch (error) {
      // The entry itself will be refused for it, and named.
      if (!isAboutEntry(error)) throw error;
    }
  }

  async #write(changes: readonly MirroredChange[], cookie: string | undefined): Promise<void> {
    const failure = await this.#failureOf(changes, cookie);
    if (failure === undefined) return;
    if (changes.length === 1) this.#refuse(nameOf(changes[0]!), failure.message);
    // Who cannot stand here keeps nobody else out.
    else for (const change of changes) await this.#write([change], undefined);
  }

  /** Writes all of it. Why these entries cannot stand here; undefined: they do. */
  async #failureOf(changes: readonly MirroredChange[], cookie: string | undefined): Promise<Failure | undefined> {
    if (this.#isOver) throw new Failure('unavailable', 'The server is stopping');
    const { writer, clock } = this.#parts;
    const { name: source, dn: author } = this.source;
    const stored = cookie === undefined ? {} : { cookie: `${this.#settings}${cookie}` };
    try {
      const page = { source, author, changes, now: clock.now(), ...stored };
      await writer.execute(takeMirrorPage, page, bytesOfChanges(changes));
    } catch (error) {
      if (!isAboutEntry(error)) throw error;
      return asFailure(error);
    }
    for (const change of changes) this.#refused.delete(nameOf(change));
    return undefined;
  }

  #refuse(name: string, reason: string): void {
    if (!this.#refused.has(name))
      this.#parts.log.warn('sync.ldap-entry', { source: this.source.name, entry: name, error: reason });
    if (this.#refused.size < REFUSED_MAX) this.#refused.set(name, reason);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

export function serversOf(source: LdapSource, resolver: LdapServers['resolver']): LdapServers {
  const { urls, startTls, ca, login, password } = source;
  return { urls, startTls, ca, login, password, ...(resolver === undefined ? {} : { resolver }) };
}

/** Not about the store, nor about the moment. */
function isAboutEntry(error: unknown): boolean {
  return error instanceof Failure && error.kind !== 'unavailable' && error.kind !== 'full';
}

function nameOf(change: MirroredChange): string {
  return change.kind === 'put' ? change.entry.dn : change.uuid;
}

function textOf({ attributes }: SearchEntry, key: string): string | undefined {
  const value = attributes.find(({ name }) => name.toLowerCase() === key)?.values[0];
  return typeof value === 'string' ? value : undefined;
}

function markOf(csn: string | undefined, time: string | undefined): string {
  return csn ?? String(generalizedTimeToMs(time ?? '') ?? '');
}

/** `rid=000,csn=...`: the first of several counts. */
function csnOf(cookie: string | undefined): string | null {
  const at = cookie?.indexOf('csn=') ?? -1;
  if (cookie === undefined || at < 0) return null;
  const [first = ''] = cookie.slice(at + 4).split(/[;,]/);
  return first;
}

export function bytesOfChanges(changes: readonly MirroredChange[]): number {
  let bytes = 0;
  for (const change of changes) {
    bytes += 500;
    if (change.kind === 'put')
      for (const { values } of change.entry.attributes) for (const value of values) bytes += value.length + 50;
  }
  return bytes;
}
