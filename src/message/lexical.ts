// Lexical tokens of structured header fields, read as tolerantly as mail needs: nothing here throws.
//
// In      a cursor over unfolded text
// Out     the cursor behind the token; what is never closed reaches to the end of the text
// Comments nest without recursion. Each byte is looked at once.
// RFC 5322 §3.2.2 (CFWS) §3.2.4 (quoted-string) §4.1

import type { Cursor } from '../base/cursor.ts';

/** Spaces, tabs and stray line breaks. */
export function skipSpaces(cursor: Cursor): void {
  const { text } = cursor;
  let { at } = cursor;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x09 && code !== 0x0d && code !== 0x0a) break;
    at++;
  }
  cursor.at = at;
}

/** Spaces and comments. */
export function skipCfws(cursor: Cursor): void {
  skipSpaces(cursor);
  while (cursor.peek() === 0x28) {
    comment(cursor);
    skipSpaces(cursor);
  }
}

/** The comment here, without its outer parentheses and without backslashes; comments in it stay as text. */
export function comment(cursor: Cursor): string {
  const { text } = cursor;
  let depth = 0;
  let escaped = false;
  const start = cursor.at + 1;
  let at = cursor.at;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5c) {
      escaped = true;
      at++;
    } else if (code === 0x28) depth++;
    else if (code === 0x29 && --depth === 0) break;
  }
  const end = Math.min(at, text.length);
  cursor.at = Math.min(at + 1, text.length);
  return escaped ? dropBackslashes(text.slice(start, end)) : text.slice(start, end);
}

/** The quoted string here as it is meant: without its quotes and backslashes. */
export function quotedString(cursor: Cursor): string {
  const { text } = cursor;
  const start = cursor.at + 1;
  let escaped = false;
  let at = start;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5c) {
      escaped = true;
      at++;
    } else if (code === 0x22) break;
  }
  const end = Math.min(at, text.length);
  cursor.at = Math.min(at + 1, text.length);
  return escaped ? dropBackslashes(text.slice(start, end)) : text.slice(start, end);
}

function dropBackslashes(text: string): string {
  let value = '';
  let start = 0;
  for (let slash = text.indexOf('\\'); slash >= 0; slash = text.indexOf('\\', start + 1)) {
    value += text.slice(start, slash);
    start = slash + 1;
  }
  return value + text.slice(start);
}
