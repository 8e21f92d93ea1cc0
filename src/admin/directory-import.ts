// directory import: records of a file, some hundreds a commit. The next ones are read while those before are written.
//
// In      the text of each, and its line in the file; what is done with entries that are there
// Out     what was done; each record that is refused with its line, DN and LDAP result. What is no LDIF ends it: what stands
//         before is done
// Limits  RECORDS_MAX records a call, COMMIT_RECORDS a commit. While mail keeps a thread busy it waits as long as it writes
// A dry run goes through the same on a copy of the store (`rehearsal`).

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
  importedRecord,
  importRecords,
  type PlainFailure,
  type WithExisting,
} from '../provisioning/import.ts';
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
  readonly refused: readonly RefusedRecord[];
  /** What is no LDIF, with its line: nothing from that record on is done. */
  readonly broken: { readonly line: number; readonly reason: string } | null;
}

const RECORDS_MAX = 2000;
const COMMIT_RECORDS = 500;
const LDIF_MAX = 15 * 1024 * 1024;

export const directoryRehearse = ({ rehearsals }: DirectoryImportParts) =>
  adminOperation('directory.rehearse', z.object({}), async () => ({ rehearsal: await rehearsals.begin() }));

export const directoryRehearsed = ({ rehearsals }: DirectoryImportParts) =>
  adminOperation('directory.rehearsed', z.object({ rehearsal: z.string().max(100) }), async ({ rehearsal }) => {
    await rehearsals.end(rehearsal);
    return {};
  });

export const directoryImport = (parts: DirectoryImportParts) =>
  adminOperation(
    'directory.import',
    z.object({
      /** Each as it stands in the file, and where. */
      records: z.array(z.object({ line: z.int().min(1), ldif: z.string().max(LDIF_MAX) })).max(RECORDS_MAX),
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
  readonly broken: DirectoryImport['broken'];
}

/** One call's records. */
class ImportRun {
  readonly #parts: DirectoryImportParts;
  readonly #options: ImportRunOptions;
  readonly #writer: Writer;
  readonly #refused: RefusedRecord[] = [];
  #counts = { added: 0, replaced: 0, changed: 0, skipped: 0 };
  #unknownHashes = 0;
  #broken: DirectoryImport['broken'] = null;

  constructor(parts: DirectoryImportParts, options: ImportRunOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#writer = options.rehearsal === undefined ? parts.writer : parts.rehearsals.writer(options.rehearsal);
  }

  async take(records: readonly LdifRecord[]): Promise<DirectoryImport> {
    let next = this.#prepared(records.slice(0, COMMIT_RECORDS));
    for (let at = COMMIT_RECORDS; ; at += COMMIT_RECORDS) {
      const { ready, refused, broken } = await next;
      const isLast = at >= records.length || broken !== null || (refused.length > 0 && !this.#options.goesOn);
      if (!isLast) next = this.#prepared(records.slice(at, at + COMMIT_RECORDS));
      // It may be that nobody waits for it.
      next.catch(() => {});
      this.#refused.push(...refused);
      this.#broken = broken;
      const isWritten = await this.#write(ready);
      if (isLast || !isWritten) break;
    }
    // In the order of the file, whether a record was refused before it came to the writer or there.
    const refused = this.#refused.sort((a, b) => a.line - b.line);
    return { ...this.#counts, unknownHashes: this.#unknownHashes, refused, broken: this.#broken };
  }

  /** Up to the first that ends the run. */
  async #prepared(records: readonly LdifRecord[]): Promise<Prepared> {
    const ready: Ready[] = [];
    const refused: RefusedRecord[] = [];
    for (const { line, octets } of records) {
      let change: DirectoryChange;
      try {
        change = parseRecord({ line, octets });
      } catch (error) {
        return { ready, refused, broken: { line, reason: asFailure(error).message } };
      }
      try {
        const record = importedRecord(await this.#withHashes(change));
        const unknownHashes = passwordsIn(change).filter(isUnknownHash).length;
        ready.push({ line, record, unknownHashes });
      } catch (error) {
        refused.push(refusedRecord({ line, change }, asFailure(error)));
        if (!this.#options.goesOn) break;
      }
    }
    return { ready, refused, broken: null };
  }

  /** All records, in as few commits as those that are refused leave. False where one of them ends the run. */
  async #write(ready: readonly Ready[]): Promise<boolean> {
    for (let rest = ready; rest.length > 0; ) {
      const began = performance.now();
      const at = await this.#commit(rest);
      const pause = this.#parts.way.pauseAfter(performance.now() - began);
      if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
      if (at === undefined) return true;
      if (at > 0) await this.#commit(rest.slice(0, at));
      if (!this.#options.goesOn) {
        // What stands behind is not done, whatever else was found out about it.
        const { line } = rest[at]!;
        this.#refused.splice(0, Number.POSITIVE_INFINITY, ...this.#refused.filter((each) => each.line <= line));
        this.#broken = null;
        return false;
      }
      rest = rest.slice(at + 1);
    }
    return true;
  }

  /** Gives the place of a record that is refused: then nothing is done. */
  async #commit(ready: readonly Ready[]): Promise<number | undefined> {
    const { caller, existing } = this.#options;
    const records = ready.map(({ record }) => record);
    const args = { records, existing, caller, now: this.#parts.clock.now() };
    const outcome = await this.#writer.execute(importRecords, args, records.length * RECORD_BYTES);
    if ('refused' in outcome) {
      const { line, record } = ready[outcome.refused]!;
      this.#refused.push(refusedRecord({ line, change: record.change }, outcome.failure));
      return outcome.refused;
    }
    for (const key of COUNTS) this.#counts[key] += outcome.counts[key];
    for (const { unknownHashes } of ready) this.#unknownHashes += unknownHashes;
    return undefined;
  }

  #withHashes(change: DirectoryChange): Promise<DirectoryChange> {
    const { gate, makesKeys = true } = this.#parts;
    return hashClearPasswords(change, { gate, makesKeys, isDryRun: this.#options.rehearsal !== undefined });
  }
}

function refusedRecord(
  { line, change }: Pick<Ready, 'line'> & { readonly change: DirectoryChange },
  { ldap, message }: PlainFailure,
): RefusedRecord {
  const code = resultCodes[ldap?.name ?? 'other'];
  return { line, dn: change.dn, code, reason: message };
}

/** Roughly what one weighs on its way to the writer. */
const RECORD_BYTES = 1500;
const COUNTS = ['added', 'replaced', 'changed', 'skipped'] as const;
