// LANGUAGE as a value. RFC 5255 §3.2, §3.6

import type { ImapCursor } from '../grammar.ts';

export interface LanguageCommand {
  readonly name: 'LANGUAGE';
  /** Ranges in the order of preference, in lower case; empty: which are there? */
  readonly ranges: readonly string[];
}

const RANGES_MAX = 100;

export function parseLanguage(cursor: ImapCursor): LanguageCommand {
  const ranges: string[] = [];
  while (cursor.trySpace()) {
    if (ranges.length >= RANGES_MAX) cursor.fail(`at most ${RANGES_MAX} languages`);
    ranges.push(cursor.peek() === 0x2a ? star(cursor) : cursor.astring().toLowerCase());
  }
  cursor.end();
  return { name: 'LANGUAGE', ranges };
}

/** As clients write it, without quotes. */
function star(cursor: ImapCursor): string {
  cursor.take('*');
  return '*';
}
