// GENURLAUTH, URLFETCH and RESETKEY as values. RFC 4467 §7, §9
//
// Limits  URLS_MAX URLs a command

import type { ImapCursor } from '../grammar.ts';

export interface GenUrlAuthCommand {
  readonly name: 'GENURLAUTH';
  /** As they were written, each with the mechanism in upper case. */
  readonly urls: readonly { readonly url: string; readonly mechanism: string }[];
}

export interface UrlFetchCommand {
  readonly name: 'URLFETCH';
  readonly urls: readonly string[];
}

export interface ResetKeyCommand {
  readonly name: 'RESETKEY';
  /** In Unicode; undefined: all. */
  readonly mailbox: string | undefined;
  /** In upper case; none: INTERNAL. */
  readonly mechanisms: readonly string[];
}

const URLS_MAX = 100;
const MECHANISMS_MAX = 10;

export function parseGenUrlAuth(cursor: ImapCursor): GenUrlAuthCommand {
  cursor.space();
  const urls = someOf(cursor, URLS_MAX, () => {
    const url = cursor.astring();
    cursor.space();
    return { url, mechanism: cursor.word() };
  });
  return { name: 'GENURLAUTH', urls };
}

export function parseUrlFetch(cursor: ImapCursor): UrlFetchCommand {
  cursor.space();
  return { name: 'URLFETCH', urls: someOf(cursor, URLS_MAX, () => cursor.astring()) };
}

export function parseResetKey(cursor: ImapCursor): ResetKeyCommand {
  if (!cursor.trySpace()) {
    cursor.end();
    return { name: 'RESETKEY', mailbox: undefined, mechanisms: [] };
  }
  const mailbox = cursor.mailbox();
  const mechanisms = cursor.trySpace() ? someOf(cursor, MECHANISMS_MAX, () => cursor.word()) : [];
  cursor.end();
  return { name: 'RESETKEY', mailbox, mechanisms };
}

/** One and more, up to the end. */
function someOf<T>(cursor: ImapCursor, most: number, one: () => T): readonly T[] {
  const all: T[] = [];
  do {
    if (all.length === most) cursor.fail(`at most ${most} of them`);
    all.push(one());
  } while (cursor.trySpace());
  cursor.end();
  return all;
}
