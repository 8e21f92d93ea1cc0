// An SMTP command line as a value. One grammar for 25 and 587; what may come when is the session's to say.
//
// In      a line without its CRLF, latin1
// Out     a command, or `unknown`; SyntaxFailure for arguments that do not parse, Failure 'unsupported' for a parameter
//         that no extension of ours defines (555)
// RFC 5321 §4.1.1, RFC 1870 §3 (SIZE), RFC 6152 §2 (BODY), RFC 4954 §4 §5 (AUTH), RFC 3207 §4

import { ALNUM, asciiLower, characterClass, VCHAR, without } from '../../base/characters.ts';
import { Cursor, SyntaxFailure } from '../../base/cursor.ts';
import { Failure } from '../../base/failure.ts';
import { type Address, parseForwardPath, parseReversePath } from '../../message/address.ts';
import type { BodyKind } from '../../message/envelope.ts';

export type SmtpCommand =
  | { readonly verb: 'EHLO' | 'HELO' | 'LHLO'; readonly name: string }
  | {
      readonly verb: 'MAIL';
      readonly sender: Address | undefined;
      readonly sizeBytes: number | undefined;
      readonly body: BodyKind;
    }
  | { readonly verb: 'RCPT'; readonly recipient: Address; readonly written: string }
  | { readonly verb: 'DATA' | 'RSET' | 'QUIT' | 'STARTTLS' | 'NOOP' | 'HELP' | 'VRFY' }
  /** `initial` as written: base64, or `=` for an empty response. */
  | { readonly verb: 'AUTH'; readonly mechanism: string; readonly initial: string | undefined }
  | { readonly verb: 'unknown'; readonly name: string };

/** HELO and EHLO arguments: RFC 5321 asks for a domain or a literal; clients send other words, which we only write down. */
const HELLO_TEXT = VCHAR;
const PARAMETER_VALUE = without(VCHAR, '=');
const PARAMETER_NAME = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '-');
const VERB = characterClass([0x41, 0x5a], [0x61, 0x7a]);
const MECHANISM = characterClass([0x30, 0x39], [0x41, 0x5a], [0x61, 0x7a], '-_');
const HELLO_MAX = 255;
const PARAMETERS_MAX = 10;

export function parseCommand(line: string): SmtpCommand {
  const cursor = new Cursor(line);
  const name = cursor.run(VERB, 20).toUpperCase();
  switch (name) {
    case 'EHLO':
    case 'HELO':
    case 'LHLO':
      return { verb: name, name: parseHello(cursor) };
    case 'MAIL':
      return parseMail(cursor);
    case 'RCPT':
      return parseRecipient(cursor);
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
  let sizeBytes: number | undefined;
  let body: BodyKind = '7BIT';
  for (const [name, value] of parseParameters(cursor)) {
    if (name === 'size') sizeBytes = parseSize(value);
    else if (name === 'body') body = parseBody(value);
    // AUTH= says whom the peer believes to be the author. It is parsed and not used: no peer is trusted for it. RFC 4954 §5
    else if (name !== 'auth') throw new Failure('unsupported', `MAIL parameter ${printable(name)} is not known`);
  }
  return { verb: 'MAIL', sender, sizeBytes, body };
}

function parseRecipient(cursor: Cursor): SmtpCommand {
  cursor.space();
  if (!cursor.tryWord('TO:')) cursor.fail('TO:');
  while (cursor.tryTake(' '));
  const start = cursor.at;
  const recipient = parseForwardPath(cursor);
  const written = cursor.text.slice(start + 1, cursor.at - 1);
  for (const [name] of parseParameters(cursor))
    throw new Failure('unsupported', `RCPT parameter ${printable(name)} is not known`);
  return { verb: 'RCPT', recipient, written };
}

function parseParameters(cursor: Cursor): Map<string, string> {
  const parameters = new Map<string, string>();
  while (!cursor.atEnd) {
    if (!cursor.tryTake(' ')) cursor.fail('a space before the parameter');
    while (cursor.tryTake(' '));
    if (cursor.atEnd) break;
    if (!ALNUM[cursor.peek()]) cursor.fail('a parameter');
    const name = asciiLower(cursor.run(PARAMETER_NAME));
    const value = cursor.tryTake('=') ? cursor.run(PARAMETER_VALUE) : '';
    if (parameters.has(name) || parameters.size >= PARAMETERS_MAX) cursor.fail('each parameter once');
    parameters.set(name, value);
  }
  return parameters;
}

function parseSize(value: string): number {
  const cursor = new Cursor(value);
  // RFC 1870 allows 20 digits; what exceeds 2^53 exceeds every limit.
  if (value.length > 15 && value.length <= 20 && /^\d+$/.test(value)) return Number.MAX_SAFE_INTEGER;
  const size = cursor.number();
  cursor.end();
  return size;
}

function parseBody(value: string): BodyKind {
  const kind = value.toUpperCase();
  if (kind === '7BIT' || kind === '8BITMIME') return kind;
  throw new SyntaxFailure('BODY=7BIT or BODY=8BITMIME', 0);
}

function parseAuth(cursor: Cursor): SmtpCommand {
  cursor.space();
  const mechanism = cursor.run(MECHANISM, 20).toUpperCase();
  if (mechanism === '') cursor.fail('a mechanism');
  let initial: string | undefined;
  if (!cursor.atEnd) {
    cursor.space();
    initial = cursor.rest();
  }
  return { verb: 'AUTH', mechanism, initial };
}

function printable(text: string): string {
  return text.slice(0, 40);
}
