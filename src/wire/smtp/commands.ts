// An SMTP command line as a value. One grammar for 25 and 587; what may come when is the session's to say.
//
// In      a line without its CRLF, latin1: an octet a character
// Out     a command, or `unknown`; SyntaxFailure for arguments that do not parse, 8-bit ones that are no UTF-8 among them.
//         CommandParameters are split here; what they mean is in parameters.ts, because some depend on who speaks
// RFC 5321 §4.1.1, RFC 6531 §3.3, RFC 3030 §2 (BDAT), RFC 4954 §4 (AUTH), RFC 3207 §4

import { ALNUM, asciiLower, characterClass, DIGIT, VCHAR, without } from '../../base/characters.ts';
import { Cursor, SyntaxFailure } from '../../base/cursor.ts';
import { type Address, parseForwardPath, parseReversePath } from '../../message/address.ts';
import type { CommandParameters } from './parameters.ts';

export type SmtpCommand =
  | { readonly verb: 'EHLO' | 'HELO' | 'LHLO'; readonly name: string }
  | {
      readonly verb: 'MAIL';
      readonly sender: Address | undefined;
      readonly parameters: CommandParameters;
      /** Something in it is beyond ASCII. */
      readonly isEightBit: boolean;
    }
  | {
      readonly verb: 'RCPT';
      readonly recipient: Address;
      readonly written: string;
      readonly parameters: CommandParameters;
      readonly isEightBit: boolean;
    }
  /** So many octets follow. Undefined: nobody can know how many. */
  | { readonly verb: 'BDAT'; readonly octets: number | undefined; readonly isLast: boolean; readonly isSound: boolean }
  /** Names in lower case, values in xtext. */
  | { readonly verb: 'XCLIENT'; readonly attributes: CommandParameters }
  | { readonly verb: 'DATA' | 'RSET' | 'QUIT' | 'STARTTLS' | 'NOOP' | 'HELP' | 'VRFY' }
  /** `initial` as written: base64, or `=` for an empty response. */
  | { readonly verb: 'AUTH'; readonly mechanism: string; readonly initial: string | undefined }
  | { readonly verb: 'unknown'; readonly name: string };

/**
 * HELO and EHLO arguments: RFC 5321 asks for a domain or a literal; clients send other words, which we only write down. Names of
 * personal computers come in whatever character set those have.
 */
const HELLO_TEXT = characterClass([0x21, 0x7e], [0x80, 0xff]);
const PARAMETER_VALUE = without(VCHAR, '=');
const PARAMETER_NAME = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '-');
const VERB = characterClass([0x41, 0x5a], [0x61, 0x7a]);
const MECHANISM = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '-_');
const HELLO_MAX = 255;
const PARAMETERS_MAX = 20;

export function parseCommand(line: string): SmtpCommand {
  const cursor = new Cursor(line);
  const name = cursor.run(VERB, 20).toUpperCase();
  switch (name) {
    case 'EHLO':
    case 'HELO':
    case 'LHLO':
      return { verb: name, name: parseHello(cursor) };
    case 'MAIL':
      return parseMail(decoded(cursor));
    case 'RCPT':
      return parseRecipient(decoded(cursor));
    case 'BDAT':
      return parseChunk(cursor);
    case 'DATA':
    case 'RSET':
    case 'QUIT':
    case 'STARTTLS':
      trailingSpace(cursor);
      return { verb: name };
    case 'NOOP':
    case 'HELP':
    case 'VRFY':
      if (!cursor.atEnd) cursor.space();
      return { verb: name };
    case 'AUTH':
      return parseAuth(cursor);
    case 'XCLIENT':
      return { verb: name, attributes: parseParameters(cursor) };
    default:
      return { verb: 'unknown', name };
  }
}

/** RFC 5321 §4.1.1: receivers should tolerate white space before the CRLF. */
function trailingSpace(cursor: Cursor): void {
  while (cursor.tryTake(' ') || cursor.tryTake('\t'));
  cursor.end();
}

function parseHello(cursor: Cursor): string {
  cursor.space();
  while (cursor.tryTake(' '));
  const name = cursor.run(HELLO_TEXT, HELLO_MAX);
  if (name === '') cursor.fail('a domain name or an address literal');
  trailingSpace(cursor);
  return name;
}

function parseMail(cursor: Cursor): SmtpCommand {
  cursor.space();
  if (!cursor.tryWord('FROM:')) cursor.fail('FROM:');
  // Not in the grammar, and sent by many; nothing else could be meant.
  while (cursor.tryTake(' '));
  const sender = parseReversePath(cursor);
  return { verb: 'MAIL', sender, parameters: parseParameters(cursor), isEightBit: isEightBit(cursor.text) };
}

function parseRecipient(cursor: Cursor): SmtpCommand {
  cursor.space();
  if (!cursor.tryWord('TO:')) cursor.fail('TO:');
  while (cursor.tryTake(' '));
  const start = cursor.at;
  const recipient = parseForwardPath(cursor);
  const path = cursor.text.slice(start, cursor.at);
  const written = path.startsWith('<') ? path.slice(1, -1) : path;
  const parameters = parseParameters(cursor);
  return { verb: 'RCPT', recipient, written, parameters, isEightBit: isEightBit(cursor.text) };
}

/** The rest of a line in which octets may stand for letters beyond ASCII. */
function decoded(cursor: Cursor): Cursor {
  if (!isEightBit(cursor.text)) return cursor;
  try {
    return new Cursor(UTF8.decode(Buffer.from(cursor.text, 'latin1')), cursor.at);
  } catch {
    throw new SyntaxFailure('UTF-8', cursor.at);
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function isEightBit(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 0x7f) return true;
  return false;
}

/** Never a SyntaxFailure: the octets that follow have to be known whatever else is wrong. */
function parseChunk(cursor: Cursor): SmtpCommand {
  const digits = cursor.tryTake(' ') ? cursor.run(DIGIT) : '';
  const octets = digits === '' || digits.length > 15 ? undefined : Number(digits);
  const isLast = cursor.tryWord(' LAST');
  while (cursor.tryTake(' '));
  return { verb: 'BDAT', octets, isLast, isSound: cursor.atEnd };
}

function parseParameters(cursor: Cursor): CommandParameters {
  const parameters = new Map<string, string>();
  while (!cursor.atEnd) {
    if (!cursor.tryTake(' ')) cursor.fail('a space before the parameter');
    while (cursor.tryTake(' '));
    if (cursor.atEnd) break;
    if (!ALNUM[cursor.peek()]) cursor.fail('a parameter');
    const name = asciiLower(cursor.run(PARAMETER_NAME));
    const value = cursor.tryTake('=') ? cursor.runBeyond(PARAMETER_VALUE) : '';
    if (parameters.has(name) || parameters.size >= PARAMETERS_MAX) cursor.fail('each parameter once');
    parameters.set(name, value);
  }
  return parameters;
}

function parseAuth(cursor: Cursor): SmtpCommand {
  cursor.space();
  while (cursor.tryTake(' '));
  const mechanism = cursor.run(MECHANISM, 20).toUpperCase();
  if (mechanism === '') cursor.fail('a mechanism');
  let initial: string | undefined;
  if (!cursor.atEnd) {
    cursor.space();
    initial = cursor.rest();
  }
  return { verb: 'AUTH', mechanism, initial };
}
