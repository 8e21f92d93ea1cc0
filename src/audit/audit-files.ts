// Writes the audit: lines to the file of their day, in the order in which they came. One in the process, in the main thread.
//
// In      lines; `append` for those that may be lost, `write` for those that the caller brings again
// Out     files of mode 0600; what is older than it is to be kept is removed at the first line of a day
// Limits  QUEUE_LINES wait, more are dropped and counted
// Errors  a disk that is full, a folder that cannot be written: named once in the log, and again when it works; nothing else
//         of the server feels it
// Never   leaves half a line: what a failed write, or a process that was killed, has left of one is cut off

import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { auditDays, dayOf, dayPath } from './files.ts';
import { type AuditLine, formatAuditLine } from './line.ts';

const QUEUE_LINES = 20_000;
/** Longer than any line. */
const TAIL_BYTES = 64 * 1024;
const NEW_LINE = 0x0a;
/** So often at most a file that could not be written is tried again for lines that may be lost. */
const TRY_AGAIN_MS = 1000;

export interface AuditFilesParts {
  readonly directory: string;
  readonly keepMs: number;
  readonly log: Log;
  readonly clock: Clock;
}

interface OpenDay {
  readonly day: string;
  readonly file: FileHandle;
  size: number;
}

export class AuditFiles {
  readonly #parts: AuditFilesParts;
  #queue: AuditLine[] = [];
  #last: Promise<unknown> = Promise.resolve();
  #isScheduled = false;
  #open: OpenDay | undefined;
  #prunedOn = '';
  /** Lines that were lost since it went wrong; undefined while all is well. */
  #lost: number | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: AuditFilesParts) {
    this.#parts = parts;
  }

  /** Written soon, or lost. */
  append(lines: readonly AuditLine[]): void {
    const room = Math.max(0, QUEUE_LINES - this.#queue.length);
    this.#queue.push(...lines.slice(0, room));
    if (lines.length > room) this.#lose(lines.length - room, 'too many lines wait');
    if (this.#isScheduled || this.#queue.length === 0) return;
    this.#isScheduled = true;
    void this.#next(async () => {
      this.#isScheduled = false;
      const queue = this.#queue;
      this.#queue = [];
      const isTried = this.#parts.clock.monotonic() - this.#failedAt >= TRY_AGAIN_MS;
      if (!isTried || !(await this.#write(queue))) this.#lose(queue.length);
    });
  }

  /** All of them, or none of a day's and of the days behind it: gives how many. */
  write(lines: readonly AuditLine[]): Promise<number> {
    return this.#next(async () => {
      let written = 0;
      for (const [, ofDay] of byDay(lines)) {
        if (!(await this.#write(ofDay))) break;
        written += ofDay.length;
      }
      return written;
    });
  }

  /** What was appended is written, and the file closed. */
  async close(): Promise<void> {
    await this.#next(async () => {
      await this.#open?.file.close();
      this.#open = undefined;
    });
  }

  #next<T>(run: () => Promise<T>): Promise<T> {
    const next = this.#last.then(run);
    this.#last = next.catch(() => {});
    return next;
  }

  async #write(lines: readonly AuditLine[]): Promise<boolean> {
    try {
      for (const [day, ofDay] of byDay(lines)) await this.#writeDay(day, ofDay.map(formatAuditLine).join(''));
    } catch (error) {
      this.#failedAt = this.#parts.clock.monotonic();
      this.#lose(0, error instanceof Error ? error.message : String(error));
      return false;
    }
    if (this.#lost !== undefined) this.#parts.log.warn('audit.resume', { lost: this.#lost });
    this.#lost = undefined;
    return true;
  }

  async #writeDay(day: string, text: string): Promise<void> {
    const octets = Buffer.from(text);
    const open = await this.#openDay(day);
    try {
      for (let at = 0; at < octets.length; ) at += (await open.file.write(octets, at)).bytesWritten;
      open.size += octets.length;
    } catch (error) {
      // Half of it is nothing; opening it again cuts off what cannot be cut off now.
      await open.file.truncate(open.size).catch(() => {});
      await open.file.close().catch(() => {});
      this.#open = undefined;
      throw error;
    }
  }

  async #openDay(day: string): Promise<OpenDay> {
    if (this.#open?.day === day) return this.#open;
    await this.#open?.file.close();
    this.#open = undefined;
    const { directory } = this.#parts;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const file = await open(dayPath(directory, day), 'a+', 0o600);
    try {
      const { size } = await file.stat();
      const whole = await wholeLines(file, size);
      if (whole < size) await file.truncate(whole);
      this.#open = { day, file, size: whole };
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
    await this.#prune();
    return this.#open;
  }

  async #prune(): Promise<void> {
    const { directory, keepMs, clock, log } = this.#parts;
    const today = dayOf(new Date(clock.now()).toISOString());
    if (today === this.#prunedOn) return;
    this.#prunedOn = today;
    const oldest = dayOf(new Date(clock.now() - keepMs).toISOString());
    for (const day of await auditDays(directory)) {
      if (day >= oldest) break;
      await unlink(dayPath(directory, day)).catch((error: unknown) => {
        log.warn('audit.remove', { day, detail: String(error) });
      });
    }
  }

  #lose(lines: number, detail?: string): void {
    if (this.#lost === undefined) this.#parts.log.error('audit.lose', { detail: detail ?? '' });
    this.#lost = (this.#lost ?? 0) + lines;
  }
}

function byDay(lines: readonly AuditLine[]): Map<string, AuditLine[]> {
  return Map.groupBy(lines, ({ at }) => dayOf(at));
}

/** Octets up to the last end of a line. */
async function wholeLines(file: FileHandle, size: number): Promise<number> {
  const from = Math.max(0, size - TAIL_BYTES);
  const tail = Buffer.alloc(size - from);
  await file.read(tail, 0, tail.length, from);
  return from + tail.lastIndexOf(NEW_LINE) + 1;
}
