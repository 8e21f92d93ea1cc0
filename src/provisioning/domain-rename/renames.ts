// The domains that are being renamed, in the main thread: slice after slice behind other writers, and on after a restart.
//
// In      a command; the domains that are marked, at the start
// Out     both names deliver at every moment (operations.ts); how far each is
// States  begun (the mark stands) -> slices until a walk through all changes nothing -> ended (the mark is gone)
// Limits  one walk a domain; KEPT_MAX renames are remembered after their end
// Failure a slice that fails is made again after PAUSE_MS; where one entry is the reason, that one is left and named in the log

import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../../base/clock.ts';
import { asFailure, Failure } from '../../base/failure.ts';
import type { Log } from '../../base/log.ts';
import type { Reader, Writer } from '../../database/operation.ts';
import type { Caller } from '../../directory/caller.ts';
import { dcDnOfDomain, domainOfDcDn } from '../../directory/dn.ts';
import { entriesWith, findEntry, indexedValues } from '../../directory/entries.ts';
import { beginRename, endRename, RENAMED_FROM, type RenameSlice, renameSlice, SLICE } from './operations.ts';

const RENAMES_MAX = 1000;
const KEPT_MAX = 100;
const NAMED_MAX = 100;
const PAUSE_MS = 5000;

export interface RenameProgress {
  readonly from: string;
  readonly to: string;
  /** Accounts and lists that have got the new name, since the start of this server. */
  readonly entries: number;
  readonly done: boolean;
}

export interface RehearsedRename extends RenameProgress {
  readonly dryRun: true;
  /** DNs of those who would keep their addresses alone, since somebody else has one of theirs under the new name: the first of them. */
  readonly kept: readonly string[];
}

export interface DomainRenamesParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly clock: Clock;
  readonly log: Log;
}

interface Rename {
  readonly from: string;
  readonly to: string;
  entries: number;
  done: boolean;
  failure: Failure | undefined;
  /** Resolves at its end, and when the server stops. */
  ended: Promise<void>;
}

export class DomainRenames {
  readonly #parts: DomainRenamesParts;
  /** By the new name. */
  readonly #renames = new Map<string, Rename>();
  readonly #stop = new AbortController();

  constructor(parts: DomainRenamesParts) {
    this.#parts = parts;
  }

  /** Goes on with what a server before this one has begun. */
  resume(): void {
    const { reader } = this.#parts;
    const key = RENAMED_FROM.toLowerCase();
    for (const from of indexedValues(reader, key, RENAMES_MAX))
      for (const entry of entriesWith(reader, key, from, RENAMES_MAX)) {
        const to = domainOfDcDn(entry.normalizedDn);
        if (to !== undefined) this.#begin(from, to);
      }
  }

  /** Begins it, or looks at it; how far it is after `waitMs` at most. Asked again it says how it goes on. */
  async rename(
    { from, to }: Pick<RenameProgress, 'from' | 'to'>,
    caller: Caller,
    waitMs: number,
  ): Promise<RenameProgress> {
    const known = this.#renames.get(to);
    const isKnown =
      known?.from === from && (!known.done || findEntry(this.#parts.reader, dcDnOfDomain(to)) !== undefined);
    if (!isKnown) {
      const { writer, clock } = this.#parts;
      await writer.execute(beginRename, { from, to, caller, now: clock.now() });
    }
    const rename = isKnown ? known : this.#begin(from, to);
    await Promise.race([rename.ended, pause(waitMs, undefined, { ref: false })]);
    if (!rename.done && rename.failure !== undefined) throw rename.failure;
    return { from, to, entries: rename.entries, done: rename.done };
  }

  /** What would become of whom; nothing has changed behind it. */
  async rehearse({ from, to }: Pick<RenameProgress, 'from' | 'to'>, caller: Caller): Promise<RehearsedRename> {
    const { writer, clock } = this.#parts;
    await writer.execute(beginRename, { from, to, caller, now: clock.now(), isRehearsal: true });
    let entries = 0;
    const kept: string[] = [];
    for (let after: string | undefined; ; ) {
      this.#stop.signal.throwIfAborted();
      const asked = { from, to, now: clock.now(), after, limit: SLICE, isRehearsal: true };
      const slice = await writer.execute(renameSlice, asked);
      entries += slice.entries;
      kept.push(...slice.kept.slice(0, NAMED_MAX - kept.length));
      if (slice.last === undefined || slice.isOver === true) break;
      after = slice.last;
    }
    return { from, to, entries, done: false, dryRun: true, kept };
  }

  end(): void {
    this.#stop.abort();
  }

  #begin(from: string, to: string): Rename {
    const known = this.#renames.get(to);
    if (known !== undefined && !known.done && known.from === from) return known;
    const rename: Rename = { from, to, entries: 0, done: false, failure: undefined, ended: Promise.resolve() };
    this.#renames.set(to, rename);
    for (const [name, { done }] of this.#renames) if (done && this.#renames.size > KEPT_MAX) this.#renames.delete(name);
    rename.ended = this.#run(rename);
    return rename;
  }

  async #run(rename: Rename): Promise<void> {
    const { log } = this.#parts;
    while (!this.#stop.signal.aborted) {
      try {
        await this.#walk(rename);
        return;
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        rename.failure = asFailure(error);
        const { message, detail } = rename.failure;
        log.warn('domain.rename', { from: rename.from, to: rename.to, error: message, detail });
        await pause(PAUSE_MS, undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined);
      }
    }
  }

  async #walk(rename: Rename): Promise<void> {
    const { writer, clock, log } = this.#parts;
    const { from, to } = rename;
    const kept = new Set<string>();
    for (let changed = -1; changed !== 0; ) {
      changed = 0;
      for (let after: string | undefined; ; ) {
        const slice = await this.#slice(rename, after);
        rename.failure = undefined;
        rename.entries += slice.entries;
        changed += slice.entries;
        for (const dn of slice.kept) kept.add(dn);
        if (slice.last === undefined || slice.isOver === true) break;
        after = slice.last;
      }
    }
    for (let done = false; !done; ) {
      this.#stop.signal.throwIfAborted();
      done = await writer.execute(endRename, { from, to, now: clock.now() });
    }
    rename.done = true;
    for (const dn of kept) log.warn('domain.rename', { from, to, kept: dn });
    log.info('domain.rename', { from, to, entries: rename.entries, kept: kept.size });
  }

  async #slice({ from, to }: Rename, after: string | undefined): Promise<RenameSlice> {
    const { writer, clock } = this.#parts;
    const make = (at: string | undefined, more: { readonly limit: number; readonly skips?: boolean }) => {
      this.#stop.signal.throwIfAborted();
      return writer.execute(renameSlice, { from, to, now: clock.now(), after: at, ...more });
    };
    try {
      return await make(after, { limit: SLICE });
    } catch (error) {
      if (isTemporary(error)) throw error;
    }
    // One of them does not go: each by itself says which.
    let last = after;
    let entries = 0;
    const kept: string[] = [];
    for (let n = 0; n < SLICE; n++) {
      const one = await make(last, { limit: 1 }).catch(async (error: unknown) => {
        if (isTemporary(error)) throw error;
        const skipped = await make(last, { limit: 1, skips: true });
        return { ...skipped, kept: skipped.kept.map((dn) => `${dn}: ${asFailure(error).message}`) };
      });
      entries += one.entries;
      kept.push(...one.kept);
      last = one.last;
      if (last === undefined || one.isOver === true) break;
    }
    return { entries, kept, last };
  }
}

/** Says nothing about the change. */
function isTemporary(error: unknown): boolean {
  return !(error instanceof Failure) || error.kind === 'unavailable' || error.kind === 'full';
}
