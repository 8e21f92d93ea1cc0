// Reads the audit: in pages forward, or backward to the last change.
//
// In      the files, a filter, where the last page has ended
// Out     lines that match, the oldest first, and where to go on
// Limits  PAGE_BYTES of a file a page, LINES_MAX of what matches
// Never   stops at a line that is none: it is passed over

import { type FileHandle, open } from 'node:fs/promises';
import { asciiLower } from '../base/characters.ts';
import { auditDays, dayOf, dayPath } from './files.ts';
import { type AuditLine, parseAuditLine } from './line.ts';

export interface AuditFilter {
  /** An address, a DN or a login: of who tried, who was tried, who did it, or to whom it was done. */
  readonly account?: string | undefined;
  /** An address of a client or of a proxy. */
  readonly peer?: string | undefined;
  /** ISO 8601, UTC. */
  readonly since?: string | undefined;
}

/** Where a page has ended. */
export interface AuditPosition {
  readonly day: string;
  readonly offset: number;
}

export interface AuditPage {
  readonly lines: readonly AuditLine[];
  /** Undefined at the end. */
  readonly next: AuditPosition | undefined;
}

/** Some milliseconds of the thread that reads. */
const PAGE_BYTES = 512 * 1024;
const LINES_MAX = 1000;
const BACKWARD_BYTES = 256 * 1024;
const NEW_LINE = 0x0a;

export async function readAudit(
  directory: string,
  filter: AuditFilter,
  from: AuditPosition | undefined,
): Promise<AuditPage> {
  const first = from?.day ?? dayOf(filter.since ?? '');
  for (const day of await auditDays(directory)) {
    if (day < first) continue;
    const offset = day === from?.day ? from.offset : 0;
    const { lines, next } = await withDay(directory, day, (file) => readPage(file, offset, filter));
    if (next !== undefined) return { lines, next: { day, offset: next } };
    // The rest of this day was read; the next day is another page.
    if (lines.length > 0) return { lines, next: { day: dayAfter(day), offset: 0 } };
  }
  return { lines: [], next: undefined };
}

async function readPage(
  file: FileHandle,
  offset: number,
  filter: AuditFilter,
): Promise<{ lines: AuditLine[]; next: number | undefined }> {
  const chunk = Buffer.alloc(PAGE_BYTES);
  const { bytesRead } = await file.read(chunk, 0, PAGE_BYTES, offset);
  const isEnd = bytesRead < PAGE_BYTES;
  const end = chunk.subarray(0, bytesRead).lastIndexOf(NEW_LINE) + 1;
  const matches = matcher(filter);
  const lines: AuditLine[] = [];
  let at = 0;
  while (at < end && lines.length < LINES_MAX) {
    const lineEnd = chunk.indexOf(NEW_LINE, at);
    const line = parseAuditLine(chunk.toString('utf8', at, lineEnd));
    if (line !== undefined && matches(line)) lines.push(line);
    at = lineEnd + 1;
  }
  // A line longer than a page is none of ours: it is passed over in pieces.
  const read = end === 0 ? bytesRead : at;
  return { lines, next: isEnd && at >= end ? undefined : offset + read };
}

function matcher({ account, peer, since }: AuditFilter): (line: AuditLine) => boolean {
  const wanted = account === undefined ? undefined : asciiLower(account);
  const is = (text: string | undefined): boolean => text !== undefined && asciiLower(text) === wanted;
  return (line) =>
    (since === undefined || line.at >= since) &&
    (peer === undefined || line.peer === peer || line.proxy === peer) &&
    (wanted === undefined || is(line.account) || is(line.login) || is(line.caller) || is(line.target));
}

/** Of the newest change that stands in the files; 0 for none. Reads backward from the end of the last file. */
export async function lastAuditedRevision(directory: string): Promise<number> {
  const days = await auditDays(directory);
  for (const day of days.reverse()) {
    const revision = await withDay(directory, day, lastRevisionOf);
    if (revision !== undefined) return revision;
  }
  return 0;
}

async function lastRevisionOf(file: FileHandle): Promise<number | undefined> {
  let { size: end } = await file.stat();
  let rest = Buffer.alloc(0);
  let isLast = true;
  while (end > 0) {
    const start = Math.max(0, end - BACKWARD_BYTES);
    const chunk = Buffer.alloc(end - start);
    await file.read(chunk, 0, chunk.length, start);
    const text = Buffer.concat([chunk, rest]);
    const lines = text.toString('utf8').split('\n');
    // The first piece may be the end of a line; what stands behind the last end is a line that was not finished.
    const first = start === 0 ? 0 : 1;
    for (let i = lines.length - (isLast ? 2 : 1); i >= first; i--) {
      const line = lines[i]!.includes('"change"') ? parseAuditLine(lines[i]!) : undefined;
      if (line?.event === 'change' && line.revision !== undefined) return line.revision;
    }
    const headEnd = text.indexOf(NEW_LINE);
    rest = headEnd < 0 ? text : text.subarray(0, headEnd);
    isLast = headEnd < 0 && isLast;
    end = start;
  }
  return undefined;
}

async function withDay<T>(directory: string, day: string, run: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(dayPath(directory, day), 'r');
  try {
    return await run(file);
  } finally {
    await file.close();
  }
}

function dayAfter(day: string): string {
  return dayOf(new Date(Date.parse(day) + 86_400_000).toISOString());
}
