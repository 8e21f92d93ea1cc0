// LIST, with what its extensions select and return, and LSUB. RFC 3501 §6.3.8, §6.3.9, RFC 5258 §6, RFC 5819 §3, RFC 6154 §6,
// RFC 9590 §4
//
// Limits  PATTERNS_MAX patterns

import type { ImapCursor } from '../grammar.ts';
import { parseEntries } from './metadata.ts';
import { parseStatusItems, type StatusItem } from './status.ts';

const selections = ['SUBSCRIBED', 'REMOTE', 'RECURSIVEMATCH', 'SPECIAL-USE'] as const;
export type ListSelection = (typeof selections)[number];

const returns = ['SUBSCRIBED', 'CHILDREN', 'SPECIAL-USE', 'MYRIGHTS'] as const;
export type ListReturn = (typeof returns)[number];

export interface ListCommand {
  readonly name: 'LIST';
  /** It and the patterns are as on the wire: wildcards are matched against encoded names. */
  readonly reference: string;
  readonly patterns: readonly string[];
  readonly select: ReadonlySet<ListSelection>;
  /** Undefined: the client says nothing of what it wants to know. */
  readonly returns: ReadonlySet<ListReturn> | undefined;
  /** Empty: no STATUS is wanted. */
  readonly status: readonly StatusItem[];
  /** Entries of metadata; empty: none is wanted. */
  readonly metadata: readonly string[];
  /** Whether any of the syntax beyond RFC 3501 is used. */
  readonly isExtended: boolean;
}

export interface LsubCommand {
  readonly name: 'LSUB';
  readonly reference: string;
  readonly pattern: string;
}

const PATTERNS_MAX = 100;

export function parseList(cursor: ImapCursor): ListCommand {
  cursor.space();
  const isSelecting = cursor.peek() === 0x28;
  const select = new Set<ListSelection>();
  if (isSelecting) {
    cursor.list(() => select.add(option(cursor, selections)));
    // REMOTE, too, says nothing of what the levels below must be.
    if (select.has('RECURSIVEMATCH') && !select.has('SUBSCRIBED') && !select.has('SPECIAL-USE'))
      cursor.fail('SUBSCRIBED or SPECIAL-USE beside RECURSIVEMATCH');
    cursor.space();
  }
  const reference = cursor.astring();
  cursor.space();
  const isSeveral = cursor.peek() === 0x28;
  const patterns = isSeveral ? parsePatterns(cursor) : [cursor.listMailbox()];
  const returned = cursor.trySpace() ? parseReturn(cursor) : { returns: undefined, status: [], metadata: [] };
  cursor.end();
  const isExtended = isSelecting || isSeveral || returned.returns !== undefined;
  return { name: 'LIST', reference, patterns, select, ...returned, isExtended };
}

function parsePatterns(cursor: ImapCursor): string[] {
  let count = 0;
  const patterns = cursor.list(() => {
    if (++count > PATTERNS_MAX) cursor.fail(`at most ${PATTERNS_MAX} patterns`);
    return cursor.listMailbox();
  });
  return patterns.length === 0 ? cursor.fail('a mailbox pattern') : patterns;
}

function parseReturn(cursor: ImapCursor): Pick<ListCommand, 'returns' | 'status' | 'metadata'> {
  if (!cursor.tryWord('RETURN')) cursor.fail('RETURN');
  cursor.space();
  const found = new Set<ListReturn>();
  let status: readonly StatusItem[] = [];
  let metadata: readonly string[] = [];
  cursor.list(() => {
    if (takeWord(cursor, 'STATUS')) status = parseStatusItems(cursor);
    else if (takeWord(cursor, 'METADATA')) metadata = parseEntries(cursor);
    else found.add(option(cursor, returns));
  });
  return { returns: found, status, metadata };
}

/** An option with an argument, up to that. */
function takeWord(cursor: ImapCursor, word: string): boolean {
  if (!cursor.tryWord(`${word} `)) return false;
  cursor.at--;
  cursor.space();
  return true;
}

function option<Name extends string>(cursor: ImapCursor, names: readonly Name[]): Name {
  const start = cursor.at;
  const word = cursor.word();
  const name = names.find((one) => one === word);
  if (name !== undefined) return name;
  cursor.at = start;
  return cursor.fail(names.join(', '));
}

export function parseLsub(cursor: ImapCursor): LsubCommand {
  cursor.space();
  const reference = cursor.astring();
  cursor.space();
  const pattern = cursor.listMailbox();
  cursor.end();
  return { name: 'LSUB', reference, pattern };
}
