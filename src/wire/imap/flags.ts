// Flags in commands. RFC 3501 §2.3.2, §9 flag, flag-list

import type { ImapCursor } from './grammar.ts';
import { type Flags, type SystemFlag, systemFlags } from './values.ts';

/** A keyword is stored with each message that has it. */
const KEYWORD_CHARACTERS_MAX = 100;
const FLAGS_MAX = 100;

const byName = new Map<string, SystemFlag>(systemFlags.map((flag) => [flag.toUpperCase(), flag]));

/** `(flag ...)`, maybe empty. */
export function flagList(cursor: ImapCursor): Flags {
  return collect(cursor.list(() => flag(cursor)));
}

/** `flag ...` without parentheses, at least one. */
export function flags(cursor: ImapCursor): Flags {
  const found = [flag(cursor)];
  while (cursor.trySpace()) found.push(flag(cursor));
  return collect(found);
}

/** \Recent and unknown names behind a backslash are syntax failures: no client may set them. */
function flag(cursor: ImapCursor): SystemFlag | string {
  const start = cursor.at;
  if (!cursor.tryTake('\\')) return keyword(cursor);
  const found = byName.get(`\\${cursor.word()}`);
  if (found !== undefined) return found;
  cursor.at = start;
  return cursor.fail('\\Seen, \\Answered, \\Flagged, \\Deleted, \\Draft or a keyword');
}

export function keyword(cursor: ImapCursor): string {
  const word = cursor.atom();
  if (word.length > KEYWORD_CHARACTERS_MAX) cursor.fail(`a keyword of at most ${KEYWORD_CHARACTERS_MAX} characters`);
  return word;
}

function collect(found: readonly string[]): Flags {
  const system = new Set<SystemFlag>();
  const keywords = new Map<string, string>();
  for (const name of found) {
    const known = byName.get(name.toUpperCase());
    if (known !== undefined) system.add(known);
    else if (!keywords.has(name.toLowerCase())) keywords.set(name.toLowerCase(), name);
  }
  // More than this on one message is a mistake or an attack: the rest is not kept.
  return { system: [...system], keywords: [...keywords.values()].slice(0, FLAGS_MAX) };
}
