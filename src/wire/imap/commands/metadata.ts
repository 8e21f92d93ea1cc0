// GETMETADATA and SETMETADATA as values. RFC 5464 §4.2, §4.3, §5, RFC 9590 §4
//
// Limits  ENTRIES_MAX entries a command, ENTRY_NAME_MAX characters a name

import type { ImapCursor } from '../grammar.ts';

/** How far below the named entries others are given. */
export type MetadataDepth = 0 | 1 | 'infinity';

export interface MetadataValue {
  /** In lower case. */
  readonly entry: string;
  /** As octets; undefined for NIL: the entry goes. */
  readonly value: string | undefined;
}

export type MetadataCommand =
  | {
      readonly name: 'GETMETADATA';
      /** '' for the server. */
      readonly mailbox: string;
      /** In lower case, each once. */
      readonly entries: readonly string[];
      readonly depth: MetadataDepth;
      /** Octets of a value; longer ones are left out. */
      readonly maxSize: number | undefined;
    }
  | { readonly name: 'SETMETADATA'; readonly mailbox: string; readonly values: readonly MetadataValue[] };

const ENTRIES_MAX = 1000;
const ENTRY_NAME_MAX = 500;

interface Options {
  depth: MetadataDepth;
  maxSize: number | undefined;
}

/** Options stand before the mailbox in the grammar of RFC 5464, behind it in its examples. */
export function parseGetMetadata(cursor: ImapCursor): MetadataCommand & { readonly name: 'GETMETADATA' } {
  const options: Options = { depth: 0, maxSize: undefined };
  cursor.space();
  const isBefore = cursor.peek() === 0x28;
  if (isBefore) {
    parseOptions(cursor, options);
    cursor.space();
  }
  const mailbox = serverOrMailbox(cursor);
  cursor.space();
  if (!isBefore && isOption(cursor)) {
    parseOptions(cursor, options);
    cursor.space();
  }
  const entries = parseEntries(cursor);
  cursor.end();
  return { name: 'GETMETADATA', mailbox, entries, ...options };
}

export function parseSetMetadata(cursor: ImapCursor): MetadataCommand & { readonly name: 'SETMETADATA' } {
  cursor.space();
  const mailbox = serverOrMailbox(cursor);
  cursor.space();
  const values = new Map<string, MetadataValue>();
  cursor.list(() => {
    const entry = parseEntry(cursor);
    // What is no value of an entry can be no entry.
    if (entry === '/private' || entry === '/shared') cursor.fail('an entry below /private or /shared');
    cursor.space();
    values.set(entry, { entry, value: parseValue(cursor) });
    if (values.size > ENTRIES_MAX) cursor.fail(`at most ${ENTRIES_MAX} entries`);
  });
  if (values.size === 0) cursor.fail('an entry');
  cursor.end();
  return { name: 'SETMETADATA', mailbox, values: [...values.values()] };
}

/** One, or a list of them; each once. */
export function parseEntries(cursor: ImapCursor): readonly string[] {
  if (cursor.peek() !== 0x28) return [parseEntry(cursor)];
  const entries = new Set<string>();
  cursor.list(() => {
    entries.add(parseEntry(cursor));
    if (entries.size > ENTRIES_MAX) cursor.fail(`at most ${ENTRIES_MAX} entries`);
  });
  return entries.size === 0 ? cursor.fail('an entry') : [...entries];
}

function serverOrMailbox(cursor: ImapCursor): string {
  return cursor.tryTake('""') ? '' : cursor.mailbox();
}

/** A list that begins with a word of an option, not with the name of an entry. */
function isOption(cursor: ImapCursor): boolean {
  const start = cursor.at;
  const isOne = cursor.tryTake('(') && (cursor.tryWord('MAXSIZE ') || cursor.tryWord('DEPTH '));
  cursor.at = start;
  return isOne;
}

function parseOptions(cursor: ImapCursor, options: Options): void {
  cursor.list(() => {
    const start = cursor.at;
    const word = cursor.word();
    cursor.space();
    if (word === 'MAXSIZE') options.maxSize = cursor.number32();
    else if (word === 'DEPTH') options.depth = parseDepth(cursor);
    else {
      cursor.at = start;
      cursor.fail('MAXSIZE or DEPTH');
    }
  });
}

function parseDepth(cursor: ImapCursor): MetadataDepth {
  const start = cursor.at;
  const depth = cursor.word();
  if (depth === '0') return 0;
  if (depth === '1') return 1;
  if (depth === 'INFINITY') return 'infinity';
  cursor.at = start;
  return cursor.fail('0, 1 or infinity');
}

/** Below /private or /shared, or one of them. RFC 5464 §3.2 */
function parseEntry(cursor: ImapCursor): string {
  const start = cursor.at;
  const entry = cursor.astring().toLowerCase();
  if (isEntry(entry)) return entry;
  cursor.at = start;
  return cursor.fail('an entry such as /private/comment or /shared/comment');
}

function isEntry(entry: string): boolean {
  if (entry.length > ENTRY_NAME_MAX) return false;
  const [nothing, scope, ...below] = entry.split('/');
  if (nothing !== '' || (scope !== 'private' && scope !== 'shared') || below.includes('')) return false;
  for (let i = 0; i < entry.length; i++) {
    const code = entry.charCodeAt(i);
    if (code < 0x20 || code > 0x7e || code === 0x25 || code === 0x2a) return false;
  }
  return true;
}

function parseValue(cursor: ImapCursor): string | undefined {
  return cursor.tryLiteral8() ?? cursor.nstring();
}
