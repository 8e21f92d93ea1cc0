// A POP3 command line as a value. What may come when is the session's to say.
//
// In      a line without its CRLF, latin1
// Out     a command, or `unknown`; SyntaxFailure for arguments that do not parse
// Limits  the caller bounds the line; numbers have 15 digits at most
// RFC 1939 §3 §5 §7, RFC 2595 §4, RFC 2449 §4 §5, RFC 5034 §4, RFC 6856 §2.1 §3.1

import { ALNUM, asciiLower, characterClass } from '../../base/characters.ts';
import { Cursor } from '../../base/cursor.ts';

export type Pop3Command =
  /** Octets as characters. */
  | { readonly verb: 'USER'; readonly name: string }
  | { readonly verb: 'PASS'; readonly password: string }
  /** `initial` as written: base64, or `=` for an empty response. */
  | { readonly verb: 'AUTH'; readonly mechanism: string; readonly initial: string | undefined }
  | { readonly verb: 'CAPA' | 'STLS' | 'UTF8' | 'STAT' | 'NOOP' | 'RSET' | 'QUIT' }
  /** In lower case; `*` for whatever the server prefers. */
  | { readonly verb: 'LANG'; readonly range: string | undefined }
  | { readonly verb: 'LIST' | 'UIDL'; readonly message: number | undefined }
  | { readonly verb: 'RETR' | 'DELE'; readonly message: number }
  | { readonly verb: 'TOP'; readonly message: number; readonly lines: number }
  | { readonly verb: 'unknown' };

const KEYWORD_MAX = 20;
const MECHANISM = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '-_');
const MECHANISM_MAX = 20;
const LANGUAGE_RANGE = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '-*');
const LANGUAGE_RANGE_MAX = 100;

export function parseCommand(line: string): Pop3Command {
  const cursor = new Cursor(line);
  const verb = cursor.run(ALNUM, KEYWORD_MAX).toUpperCase();
  switch (verb) {
    case 'USER':
      return { verb, name: restOfLine(cursor, 'a name') };
    case 'PASS':
      // One argument: blanks in it belong to it. RFC 1939 §7
      return { verb, password: restOfLine(cursor, 'a password') };
    case 'AUTH':
      return parseAuth(cursor);
    case 'CAPA':
    case 'STLS':
    case 'UTF8':
    case 'STAT':
    case 'NOOP':
    case 'RSET':
    case 'QUIT':
      end(cursor);
      return { verb };
    case 'LANG':
      return { verb, range: parseRange(cursor) };
    case 'LIST':
    case 'UIDL':
      return { verb, message: optionalNumber(cursor) };
    case 'RETR':
    case 'DELE':
      return { verb, message: lastNumber(cursor) };
    case 'TOP': {
      cursor.space();
      const message = cursor.number();
      return { verb, message, lines: lastNumber(cursor) };
    }
    default:
      return { verb: 'unknown' };
  }
}

/** Clients put blanks before the CRLF; nothing else could be meant. */
function end(cursor: Cursor): void {
  while (cursor.tryTake(' '));
  cursor.end();
}

function lastNumber(cursor: Cursor): number {
  cursor.space();
  const value = cursor.number();
  end(cursor);
  return value;
}

function optionalNumber(cursor: Cursor): number | undefined {
  const start = cursor.at;
  while (cursor.tryTake(' '));
  if (cursor.atEnd) return undefined;
  cursor.at = start;
  return lastNumber(cursor);
}

function restOfLine(cursor: Cursor, what: string): string {
  cursor.space();
  return cursor.rest() || cursor.fail(what);
}

function parseAuth(cursor: Cursor): Pop3Command {
  cursor.space();
  const mechanism = cursor.run(MECHANISM, MECHANISM_MAX).toUpperCase();
  if (mechanism === '') cursor.fail('a mechanism');
  const initial = cursor.tryTake(' ') ? cursor.rest() : undefined;
  cursor.end();
  return { verb: 'AUTH', mechanism, initial };
}

function parseRange(cursor: Cursor): string | undefined {
  while (cursor.tryTake(' '));
  if (cursor.atEnd) return undefined;
  const range = cursor.run(LANGUAGE_RANGE, LANGUAGE_RANGE_MAX);
  if (range === '') cursor.fail('a language');
  end(cursor);
  return asciiLower(range);
}
