// waypost directory import: entries and changes of an LDIF file, some hundred records a commit.
//
// Out     what was done; on standard error progress, and each record that is refused with its line. With --continue they are
//         added to FILE.rejected, as they stand in the file, and it goes on
// Exit    0; 1 where a record was refused; 65 at what is no LDIF. Where a call fails, the line from which it is to be repeated
// Limits  two pages in memory, RECORDS records or PAGE_BYTES each: one is read while the other is carried out

import { isUtf8 } from 'node:buffer';
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { DirectoryImport } from '../../../admin/directory-import.ts';
import { EXIT } from '../../../base/exit.ts';
import { Failure } from '../../../base/failure.ts';
import { atIntervals, grouped } from '../../../database/progress.ts';
import { type LdifRecord, LdifSplitter, parseRecord } from '../../../directory/ldif.ts';
import { type AdminClient, NoServer } from '../../client.ts';
import { type CommandContext, common, type DryRunOptions } from '../../command.ts';
import { unreadable } from '../../input-file.ts';
import { printable } from '../../output.ts';

/** Several commits: the server reads the records of one while it writes those before. */
const RECORDS = 10_000;
const PAGE_BYTES = 8 * 1024 * 1024;

interface ImportOptions extends DryRunOptions {
  readonly continue?: boolean;
  readonly existing: 'refuse' | 'skip' | 'replace';
  readonly line: number;
}

/** The keys of the JSON. */
interface Imported extends Pick<DirectoryImport, 'added' | 'replaced' | 'changed' | 'skipped' | 'unknownHashes'> {
  readonly dryRun: boolean;
  readonly refused: number;
  /** Where it ended: the line of a record that is not done. */
  readonly endedAt: number | null;
}

export function ldifImportCommand(context: CommandContext): Command {
  return common(new Command('import'))
    .description('bring entries and changes from an LDIF file')
    .argument('<file>', 'LDIF; - for standard input')
    .addOption(
      new Option('--existing <what>', 'what is done where an entry is there already')
        .choices(['refuse', 'skip', 'replace'])
        .default('refuse'),
    )
    .option('--continue', 'go on behind a record that is refused; such records are written to FILE.rejected')
    .option('--line <number>', 'begin with the record at this line', lineNumber, 1)
    .option('--dry-run', 'say what would be done, on a copy of the store that is thrown away')
    .option('--json', 'print JSON')
    .action(async (file: string, options: ImportOptions) => {
      const { code, imported } = await new Import(context.client(options), file, options).run();
      if (code !== EXIT.done) context.exit(code);
      context.printer(options).print(imported, () => text(imported, file, options));
    });
}

function lineNumber(given: string): number {
  const line = Number(given);
  if (!/^[1-9]\d{0,11}$/.test(given)) throw new InvalidArgumentError('A line is a number from 1.');
  return line;
}

const COUNTS = ['added', 'replaced', 'changed', 'skipped', 'unknownHashes'] as const;

class Import {
  readonly #client: AdminClient;
  readonly #file: string;
  readonly #options: ImportOptions;
  readonly #done = { added: 0, replaced: 0, changed: 0, skipped: 0, unknownHashes: 0 };
  #refused = 0;
  #page: LdifRecord[] = [];
  #pageBytes = 0;
  /** The page before. */
  #sending: Promise<void> | undefined;
  #rehearsal: string | undefined;
  #rejected: number | undefined;
  #endedAt: number | null = null;
  #code: number = EXIT.done;
  readonly #started = performance.now();
  readonly #progress = atIntervals((line: number) => {
    const records = this.#done.added + this.#done.replaced + this.#done.changed + this.#done.skipped + this.#refused;
    const rate = Math.round((records * 1000) / (performance.now() - this.#started));
    process.stderr.write(`${grouped(records)} records, ${grouped(rate)} a second, line ${grouped(line)}\n`);
  });

  constructor(client: AdminClient, file: string, options: ImportOptions) {
    this.#client = client;
    this.#file = file;
    this.#options = options;
  }

  async run(): Promise<{ readonly code: number; readonly imported: Imported }> {
    const { dryRun = false } = this.#options;
    if (dryRun) this.#rehearsal = (await this.#client.call('directory.rehearse', {})).rehearsal;
    try {
      await this.#read();
    } finally {
      await this.#sent().catch(() => {});
      if (this.#rehearsal !== undefined)
        await this.#client.call('directory.rehearsed', { rehearsal: this.#rehearsal }).catch(() => {});
      if (this.#rejected !== undefined) closeSync(this.#rejected);
    }
    const imported = { dryRun, ...this.#done, refused: this.#refused, endedAt: this.#endedAt };
    return { code: this.#code, imported };
  }

  async #read(): Promise<void> {
    const splitter = new LdifSplitter();
    const input = this.#file === '-' ? process.stdin : createReadStream(this.#file, { highWaterMark: 1024 * 1024 });
    try {
      for await (const piece of input) {
        for (const record of splitter.push(piece as Buffer)) await this.#take(record);
        if (this.#endedAt !== null) return;
      }
      for (const record of splitter.end()) await this.#take(record);
      await this.#send();
      await this.#sent();
    } catch (error) {
      if (error instanceof Failure && (error.kind === 'syntax' || error.kind === 'too-large'))
        return this.#broken(error);
      if (error instanceof Error && 'syscall' in error && !(error instanceof Failure))
        throw unreadable(this.#file, error);
      throw error;
    } finally {
      input.destroy();
    }
  }

  async #take(record: LdifRecord): Promise<void> {
    if (record.line < this.#options.line || this.#endedAt !== null) return;
    // Throws with the line.
    if (!isUtf8(record.octets)) parseRecord(record);
    if (this.#page.length === RECORDS || this.#pageBytes + record.octets.length > PAGE_BYTES) await this.#send();
    this.#page.push(record);
    this.#pageBytes += record.octets.length;
  }

  /** What stands before what is no LDIF is done first. */
  async #broken(failure: Failure): Promise<void> {
    await this.#send();
    await this.#sent();
    if (this.#endedAt !== null) return;
    this.#end(Number(/^line (\d+)/.exec(failure.message)?.[1] ?? 1), failure.message, EXIT.badData);
  }

  /** Begins when the page before is done. */
  async #send(): Promise<void> {
    await this.#sent();
    const page = this.#page;
    if (page.length === 0 || this.#endedAt !== null) return;
    this.#page = [];
    this.#pageBytes = 0;
    this.#sending = this.#carryOut(page);
    // A failure is thrown where it is waited for.
    this.#sending.catch(() => {});
  }

  async #sent(): Promise<void> {
    const sending = this.#sending;
    this.#sending = undefined;
    await sending;
  }

  async #carryOut(page: readonly LdifRecord[]): Promise<void> {
    const { existing, continue: goesOn = false } = this.#options;
    const records = page.map(({ line, octets }) => ({ line, ldif: octets.toString('utf8') }));
    const on = this.#rehearsal === undefined ? {} : { rehearsal: this.#rehearsal };
    const call = this.#client.call('directory.import', { records, existing, goesOn, ...on });
    const done = await call.catch((error: unknown) => {
      if (this.#rehearsal === undefined) process.stderr.write(`waypost: ${repeatWords(page, error, this.#file)}\n`);
      throw error;
    });
    for (const key of COUNTS) this.#done[key] += done[key];
    for (const { line, dn } of done.withUnknownHashes)
      process.stderr.write(`waypost: line ${line}: ${printable(dn)}: a password of a kind that is not verified here\n`);
    for (const { line, dn, code, reason } of done.refused) {
      this.#refused++;
      this.#code = EXIT.no;
      const words = `line ${line}: ${printable(dn)}: ${reason} (${code})`;
      process.stderr.write(`waypost: ${words}\n`);
      if (goesOn) this.#reject(page.find((record) => record.line === line)!, words);
      else this.#endedAt = line;
    }
    if (done.broken !== null) this.#end(done.broken.line, done.broken.reason, EXIT.badData);
    this.#progress(page.at(-1)!.line);
  }

  #end(line: number, words: string, code: number): void {
    process.stderr.write(`waypost: ${words}\n`);
    this.#endedAt = line;
    this.#code = code;
  }

  #reject({ octets }: LdifRecord, words: string): void {
    if (this.#rehearsal !== undefined) return;
    // It may hold passwords; and what another run has left there is not lost.
    this.#rejected ??= openSync(rejectedPath(this.#file), 'a', 0o600);
    writeSync(this.#rejected, `# ${words}\n`);
    writeSync(this.#rejected, octets);
    if (!octets.subarray(-2).equals(Buffer.from('\n\n'))) writeSync(this.#rejected, '\n\n');
  }
}

/** Of a page that nobody has said the end of, or that came to no server. */
function repeatWords(page: readonly LdifRecord[], error: unknown, file: string): string {
  const [first, last] = [page[0]!.line, page.at(-1)!.line];
  const again = `waypost directory import ${file} --line ${first}`;
  if (error instanceof NoServer) return `what stands before line ${first} is done; to go on there: ${again}`;
  return `what stands before line ${first} is done, and perhaps some of lines ${first} to ${last}: ${again} --existing skip`;
}

function rejectedPath(file: string): string {
  return `${file === '-' ? 'import' : file}.rejected`;
}

function text(imported: Imported, file: string, options: ImportOptions): string {
  const { dryRun, added, replaced, changed, skipped, refused, unknownHashes, endedAt } = imported;
  const parts: readonly (readonly [number, string])[] = [
    [replaced, 'replaced'],
    [changed, 'changed'],
    [skipped, 'there already'],
    [refused, options.continue === true && !dryRun ? `refused: ${rejectedPath(file)}` : 'refused'],
  ];
  const counts = [
    `${grouped(added)} added`,
    ...parts.filter(([n]) => n > 0).map(([n, word]) => `${grouped(n)} ${word}`),
  ];
  return [
    `${dryRun ? 'would be: ' : ''}${counts.join(', ')}`,
    ...(unknownHashes === 0
      ? []
      : [`${grouped(unknownHashes)} passwords are of a kind that is not verified here: who has one sets a new one`]),
    ...(endedAt === null || dryRun
      ? []
      : [
          `what stands before line ${endedAt} is done; to go on there: waypost directory import ${file} --line ${endedAt}`,
        ]),
  ].join('\n');
}
