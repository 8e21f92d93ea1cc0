// The tables as one number: two hosts with one directory have the same.
//
// In      a reader; pages of rows
// Out     lines `table TAB key TAB JSON with sorted keys LF`, in order of their octets, and the SHA-256 of all of them
//         An entry's id and its account are written as the entry's UUID; a list's members are lines of the table `member`.
//         Nothing in a row depends on when, in which order or on which host it was written
// Errors  `unavailable` where the tables change faster than they are read

import { createHash } from 'node:crypto';
import { Failure } from '../base/failure.ts';
import type { Reader } from '../database/operation.ts';
import { findEntry } from '../directory/entries.ts';
import { readMemberValues } from '../directory/member-values.ts';
import { readState } from './generation.ts';
import type { RecipientRow } from './rows.ts';
import { readSettings } from './setting-rows.ts';
import { readRowsAfter } from './table-contents.ts';

const PAGE = 1000;
/** Lines that one answer holds. */
const LINES_MAX = 1000;
const TRIES = 5;

export interface Digest {
  readonly revision: number;
  /** The only one that was asked for; null: all. */
  readonly domain: string | null;
  /** Lines. */
  readonly rows: number;
  /** SHA-256, hexadecimal. */
  readonly digest: string;
}

/** `turn` is awaited between pages, where others may have theirs. */
export async function digestTables(
  reader: Reader,
  domain: string | undefined,
  turn: () => Promise<void>,
): Promise<Digest> {
  for (let tries = 0; tries < TRIES; tries++) {
    const revision = reader.revision();
    const hash = createHash('sha256');
    let rows = 0;
    for (const lines of linePages(reader, domain, '')) {
      for (const line of lines) hash.update(`${line}\n`);
      rows += lines.length;
      await turn();
      if (reader.revision() !== revision) break;
    }
    if (reader.revision() === revision) return { revision, domain: domain ?? null, rows, digest: hash.digest('hex') };
  }
  throw new Failure('unavailable', 'The directory changes faster than it is read, try again later');
}

/** At most a thousand lines behind `after`, the last line of the answer before. */
export function digestLines(reader: Reader, domain: string | undefined, after: string): string[] {
  const lines: string[] = [];
  for (const page of linePages(reader, domain, after)) {
    for (const line of page) if (isBehind(line, after)) lines.push(line);
    if (lines.length >= LINES_MAX) break;
  }
  return lines.slice(0, LINES_MAX);
}

/** By octets, as the lines are sorted. */
function isBehind(line: string, other: string): boolean {
  return Buffer.compare(Buffer.from(line), Buffer.from(other)) > 0;
}

function* linePages(reader: Reader, domain: string | undefined, after: string): Generator<string[]> {
  const [from = '', key = ''] = after.split('\t');
  // The tables in order of their names; none before that of `after`, and in that none before its key.
  const isAhead = (table: string): boolean => table >= from;
  const keyIn = (table: string): string => (table === from ? justBelow(key) : '');
  if (isAhead('alias')) yield* aliasLines(reader, domain, keyIn('alias'));
  if (isAhead('channel')) yield settingLines(reader, domain, 'channel');
  if (isAhead('entry')) yield* entryLines(reader, domain, keyIn('entry'), 'entry');
  if (isAhead('host')) yield settingLines(reader, domain, 'host');
  if (isAhead('member')) yield* entryLines(reader, domain, keyIn('member'), 'member');
  if (isAhead('policy')) yield settingLines(reader, domain, 'policy');
  if (isAhead('program')) yield settingLines(reader, domain, 'program');
  if (isAhead('route')) yield* routeLines(reader, domain, keyIn('route'));
  if (isAhead('rule')) yield settingLines(reader, domain, 'rule');
}

/** A text that stands before this key: its own lines are read again, and passed over where they were printed. */
function justBelow(key: string): string {
  return key.slice(0, -1);
}

function* rowPages(reader: Reader, table: 'route' | 'alias' | 'entry', from: string) {
  for (let after: string | undefined = from; after !== undefined; ) {
    const rows = readRowsAfter(reader, table, after, PAGE);
    yield rows;
    after = rows.length < PAGE ? undefined : rows.at(-1)!.key;
  }
}

function* aliasLines(reader: Reader, domain: string | undefined, from: string): Generator<string[]> {
  for (const rows of rowPages(reader, 'alias', from))
    yield rows
      .filter(({ key }) => domain === undefined || key.endsWith(`@${domain}`))
      .map(({ key, row }) => line('alias', key, row));
}

function* routeLines(reader: Reader, domain: string | undefined, from: string): Generator<string[]> {
  for (const rows of rowPages(reader, 'route', from))
    yield rows
      .filter(({ key }) => domain === undefined || key === domain)
      .map(({ key, row }) => line('route', key, JSON.parse(row)));
}

function* entryLines(
  reader: Reader,
  domain: string | undefined,
  from: string,
  table: 'entry' | 'member',
): Generator<string[]> {
  for (const rows of rowPages(reader, 'entry', from)) {
    const lines: string[] = [];
    for (const { key, row } of rows) {
      const compiled = JSON.parse(row) as RecipientRow;
      if (domain !== undefined && !compiled.addresses.some((address) => address.endsWith(`@${domain}`))) continue;
      if (table === 'entry') lines.push(line('entry', key, withoutIds(compiled)));
      else if (compiled.kind === 'group') lines.push(...memberLines(reader, key));
    }
    yield lines;
  }
}

function withoutIds(row: RecipientRow): unknown {
  return { ...row, entry: row.uuid, ...(row.account === undefined ? {} : { account: row.uuid }) };
}

function memberLines(reader: Reader, dn: string): string[] {
  const list = findEntry(reader, dn);
  const lines: Buffer[] = [];
  for (let after: number | undefined = list === undefined ? undefined : 0; after !== undefined; ) {
    const page = readMemberValues(reader, list!.id, after, PAGE);
    for (const { attribute, value } of page) lines.push(Buffer.from(line('member', dn, { attribute, value })));
    after = page.length < PAGE ? undefined : page.at(-1)!.id;
  }
  return lines.sort(Buffer.compare).map(String);
}

function settingLines(
  reader: Reader,
  domain: string | undefined,
  kind: 'rule' | 'channel' | 'host' | 'policy' | 'program',
): string[] {
  if (domain !== undefined) return [];
  return readSettings(reader, readState(reader).generation)
    .filter((row) => (row.kind as string) === kind)
    .map((row) => line(kind, row.key, row));
}

function line(table: string, key: string, value: unknown): string {
  return `${table}\t${key}\t${JSON.stringify(value, sortedKeys)}`;
}

function sortedKeys(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
