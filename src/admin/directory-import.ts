// directory import: records of a file, some hundreds a commit. The next ones are read, and wait at the writer, while those before are
// written.
//
// In      the text of each, and its line in the file; what is done with entries that are there
// Out     what was done; each record that is refused with its line, DN and LDAP result. What is no LDIF ends it: what stands
//         before is done
// Order   of the file; where the import goes on behind what is refused, users of one place together (provisioning/import-order.ts)
// States  parsed -> prepared -> waiting -> posted, AHEAD commits at a time -> done; or back to waiting, behind one that is undone
// Limits  RECORDS_MAX records a call; a commit has COMMIT_RECORDS of them, and up to COMMIT_RECORDS_MAX as long as it takes less than
//         COMMIT_MS and no mail keeps a thread busy. While some does, it waits as long as it writes
// A dry run goes through the same on a copy of the store (`rehearsal`).

import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { hashClearPasswords } from '../auth/hash-clear.ts';
import { isUnknownHash } from '../auth/password.ts';
import { asFailure } from '../base/failure.ts';
import type { Writer } from '../database/operation.ts';
import { passwordsIn } from '../directory/access/check-change.ts';
import type { Caller } from '../directory/caller.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { type LdifRecord, parseRecord } from '../directory/ldif.ts';
import {
  type ImportCounts,
  type ImportedRecord,
  type ImportOutcome,
  importedRecord,
  importRecords,
  type PlainFailure,
  type WithExisting,
} from '../provisioning/import.ts';
import { inOrderOfPlaces } from '../provisioning/import-order.ts';
import { resultCodes } from '../wire/ldap/result-codes.ts';
import type { EntryParts } from './entries.ts';
import { adminOperation } from './operation.ts';

/** Copies of the store on which an import is tried. */
export interface Rehearsals {
  /** Gives its name. Throws `full` where there is no space for a copy. */
  begin(): Promise<string>;
  /** Throws `not-found` for one that has ended: a minute after its last use. */
  writer(name: string): Writer;
  end(name: string): Promise<void>;
}

export interface DirectoryImportParts extends EntryParts {
  readonly rehearsals: Rehearsals;
  /** How long to wait behind a commit that took so many milliseconds: mail goes first. */
  readonly way: { pauseAfter(tookMs: number): number };
}

export interface RefusedRecord {
  readonly line: number;
  readonly dn: string;
  /** Of LDAP. */
  readonly code: number;
  readonly reason: string;
}

/** The keys of the JSON. */
export interface DirectoryImport extends ImportCounts {
  /** Password values of a kind that is not verified here: nobody logs in by them. */
  readonly unknownHashes: number;
  /** Who has them; a line each. */
  readonly withUnknownHashes: readonly { readonly line: number; readonly dn: string }[];
  readonly refused: readonly RefusedRecord[];
  /** What is no LDIF, with its line: nothing from that record on is done. */
  readonly broken: { readonly line: number; readonly reason: string } | null;
}

const RECORDS_MAX = 10_000;
const COMMIT_RECORDS = 500;
/** Threads that serve follow no more than the keys of so many at once (routing/cache.ts). */
const COMMIT_RECORDS_MAX = 1500;
/** Others wait for the writer meanwhile. */
const COMMIT_MS = 200;
/** Commits that are posted at once: the writer does not wait for the next one. */
const AHEAD = 2;
/** Records between two turns of the thread, which others wait for. */
const SLICE = 50;
const LDIF_MAX = 15 * 1024 * 1024;

export const directoryRehearse = ({ rehearsals }: DirectoryImportParts) =>
  adminOperation('directory.rehearse', z.strictObject({}), async () => ({ rehearsal: await rehearsals.begin() }));

export const directoryRehearsed = ({ rehearsals }: DirectoryImportParts) =>
  adminOperation('directory.rehearsed', z.strictObject({ rehearsal: z.string().max(100) }), async ({ rehearsal }) => {
    await rehearsals.end(rehearsal);
    return {};
  });

export const directoryImport = (parts: DirectoryImportParts) =>
  adminOperation(
    'directory.import',
    z.strictObject({
      /** Each as it stands in the file, and where. */
      records: z.array(z.strictObject({ line: z.int().min(1), ldif: z.string().max(LDIF_MAX) })).max(RECORDS_MAX),
      existing: z.enum(['refuse', 'skip', 'replace']),
      /** Goes on behind a record that is refused. */
      goesOn: z.boolean(),
      rehearsal: z.string().max(100).optional(),
    }),
    ({ records, existing, goesOn, rehearsal }, caller): Promise<DirectoryImport> => {
      const run = new ImportRun(parts, { caller, existing, goesOn, rehearsal });
      return run.take(records.map(({ line, ldif }) => ({ line, octets: Buffer.from(ldif) })));
    },
  );

interface ImportRunOptions {
  readonly caller: Caller;
  readonly existing: WithExisting;
  readonly goesOn: boolean;
  readonly rehearsal: string | undefined;
}

interface Ready {
  readonly line: number;
  readonly record: ImportedRecord;
  /** Password values that say nothing to us. */
  readonly unknownHashes: number;
}

/** What of some records is known before they come to the writer. */
interface Prepared {
  readonly ready: readonly Ready[];
  readonly refused: readonly RefusedRecord[];
}

interface ParsedRecord {
  readonly line: number;
  readonly change: DirectoryChange;
}

interface Parsed {
  readonly parsed: readonly ParsedRecord[];
  readonly broken: DirectoryImport['broken'];
}

/** A commit that is with the writer. */
interface Posted {
  readonly ready: readonly Ready[];
  readonly outcome: Promise<ImportOutcome>;
}

/** One call's records. */
class ImportRun {
  readonly #parts: DirectoryImportParts;
  readonly #options: ImportRunOptions;
  readonly #writer: Writer;
  readonly #refused: RefusedRecord[] = [];
  #counts = { added: 0, replaced: 0, changed: 0, skipped: 0 };
  #unknownHashes = 0;
  readonly #withUnknownHashes: { line: number; dn: string }[] = [];
  #broken: DirectoryImport['broken'] = null;
  /** In order, those that are posted before those that wait. */
  #posted: Posted[] = [];
  #waiting: (readonly Ready[])[] = [];
  #turn = { run: randomUUID(), number: 0 };
  #ahead = AHEAD;
  /** Changes are made elsewhere, and are here when their outcome is. */
  #isElsewhere = false;
  #commitRecords = COMMIT_RECORDS;
  /** When the commit that is being written began. */
  #began = 0;
  /** Behind what waits nothing is done any more. */
  #isOver = false;

  constructor(parts: DirectoryImportParts, options: ImportRunOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#writer = options.rehearsal === undefined ? parts.writer : parts.rehearsals.writer(options.rehearsal);
  }

  async take(records: readonly LdifRecord[]): Promise<DirectoryImport> {
    for (let at = 0; at < records.length && !this.#isOver; ) {
      // Where nothing ends it all of them are known before the first is written.
      const some = records.slice(at, this.#options.goesOn ? undefined : at + this.#commitRecords);
      at += some.length;
      const { parsed, broken } = await this.#parsed(some);
      const isWhole = await this.#takeParsed(this.#options.goesOn ? inOrderOfPlaces(parsed) : parsed);
      if (isWhole) this.#broken = broken;
      if (!isWhole || broken !== null) break;
    }
    await this.#advance(0);
    // In the order of the file, whether a record was refused before it came to the writer or there.
    const refused = this.#refused.sort((a, b) => a.line - b.line);
    const withUnknownHashes = this.#withUnknownHashes.sort((a, b) => a.line - b.line);
    return { ...this.#counts, unknownHashes: this.#unknownHashes, withUnknownHashes, refused, broken: this.#broken };
  }

  /** False: one of them has ended the run. */
  async #takeParsed(parsed: readonly ParsedRecord[]): Promise<boolean> {
    for (let at = 0; at < parsed.length && !this.#isOver; ) {
      const some = parsed.slice(at, at + this.#commitRecords);
      at += some.length;
      const { ready, refused } = await this.#prepared(some);
      this.#refused.push(...refused);
      this.#waiting.push(ready);
      // One is written while the next is prepared.
      await this.#advance(1);
      if (refused.length > 0 && !this.#options.goesOn) return false;
    }
    return !this.#isOver;
  }

  /** Up to what is no LDIF. */
  async #parsed(records: readonly LdifRecord[]): Promise<Parsed> {
    const parsed: ParsedRecord[] = [];
    for (const [at, record] of records.entries()) {
      await turned(at);
      try {
        parsed.push({ line: record.line, change: parseRecord(record) });
      } catch (error) {
        return { parsed, broken: { line: record.line, reason: asFailure(error).message } };
      }
    }
    return { parsed, broken: null };
  }

  /** Up to the first that ends the run. */
  async #prepared(records: readonly ParsedRecord[]): Promise<Prepared> {
    const ready: Ready[] = [];
    const refused: RefusedRecord[] = [];
    for (const [at, { line, change }] of records.entries()) {
      await turned(at);
      try {
        const record = importedRecord(await this.#withHashes(change));
        const unknownHashes = passwordsIn(change).filter(isUnknownHash).length;
        ready.push({ line, record, unknownHashes });
      } catch (error) {
        refused.push(refusedRecord({ line, change }, asFailure(error)));
        if (!this.#options.goesOn) break;
      }
    }
    return { ready, refused };
  }

  /** Until nothing waits and no more than so many commits are posted. */
  async #advance(posted: number): Promise<void> {
    for (;;) {
      while (this.#posted.length < this.#ahead && this.#waiting.length > 0) this.#post(this.#waiting.shift()!);
      if (this.#waiting.length === 0 && this.#posted.length <= posted) return;
      await this.#settle();
    }
  }

  #post(ready: readonly Ready[]): void {
    if (ready.length === 0) return;
    if (this.#posted.length === 0) this.#began = performance.now();
    const { caller, existing } = this.#options;
    const records = ready.map(({ record }) => record);
    const { run, number } = this.#turn;
    this.#turn = { run, number: number + 1 };
    const args = { records, existing, caller, now: this.#parts.clock.now(), turn: { run, number } };
    const outcome = this.#writer.execute(importRecords, args, records.length * RECORD_BYTES);
    // One that fails is waited for, perhaps behind another that has failed.
    outcome.catch(() => {});
    this.#posted.push({ ready, outcome });
  }

  /** Waits for the first that is posted. */
  async #settle(): Promise<void> {
    const { ready, outcome } = this.#posted[0]!;
    const done = await outcome;
    this.#posted.shift();
    const took = performance.now() - this.#began;
    this.#began = performance.now();
    if ('counts' in done) {
      for (const key of COUNTS) this.#counts[key] += done.counts[key];
      for (const { line, record, unknownHashes } of ready) {
        this.#unknownHashes += unknownHashes;
        if (unknownHashes > 0) this.#withUnknownHashes.push({ line, dn: record.change.dn });
      }
    } else if ('refused' in done) await this.#refuse(ready, done);
    else {
      this.#isElsewhere = true;
      await this.#again([ready]);
    }
    await this.#giveWay(took);
  }

  /** What stands before it is done, what stands behind it only where the run goes on. */
  async #refuse(ready: readonly Ready[], { refused: at, failure }: Extract<ImportOutcome, { refused: number }>) {
    const { line, record } = ready[at]!;
    this.#refused.push(refusedRecord({ line, change: record.change }, failure));
    await this.#again([ready.slice(0, at), ready.slice(at + 1)]);
    if (this.#options.goesOn) return;
    // Whatever else was found out about it.
    this.#waiting = [ready.slice(0, at)];
    this.#refused.splice(0, Number.POSITIVE_INFINITY, ...this.#refused.filter((each) => each.line <= line));
    this.#broken = null;
    this.#isOver = true;
  }

  /** These wait again, before what was posted behind them: the writer has left that alone. */
  async #again(first: (readonly Ready[])[]): Promise<void> {
    const behind = this.#posted.splice(0);
    for (const { outcome } of behind) await outcome;
    this.#waiting = [...first, ...behind.map(({ ready }) => ready), ...this.#waiting];
    this.#turn = { run: randomUUID(), number: 0 };
  }

  async #giveWay(tookMs: number): Promise<void> {
    const pause = this.#parts.way.pauseAfter(tookMs);
    const records = this.#commitRecords + (tookMs > COMMIT_MS ? -COMMIT_RECORDS : COMMIT_RECORDS);
    this.#commitRecords = pause > 0 ? COMMIT_RECORDS : Math.max(COMMIT_RECORDS, Math.min(records, COMMIT_RECORDS_MAX));
    this.#ahead = pause > 0 || this.#isElsewhere ? 1 : AHEAD;
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
  }

  #withHashes(change: DirectoryChange): Promise<DirectoryChange> {
    const { gate, makesKeys = true } = this.#parts;
    return hashClearPasswords(change, { gate, makesKeys, isDryRun: this.#options.rehearsal !== undefined });
  }
}

/** Others have their turn between the slices. */
function turned(at: number): Promise<unknown> | undefined {
  return at % SLICE === SLICE - 1 ? new Promise((resolve) => setImmediate(resolve)) : undefined;
}

function refusedRecord(
  { line, change }: Pick<Ready, 'line'> & { readonly change: DirectoryChange },
  { ldap, message }: PlainFailure,
): RefusedRecord {
  const code = resultCodes[ldap?.name ?? 'other'];
  return { line, dn: change.dn, code, reason: message };
}

/** Roughly what one weighs on its way to the writer. */
const RECORD_BYTES = 3000;
const COUNTS = ['added', 'replaced', 'changed', 'skipped'] as const;
