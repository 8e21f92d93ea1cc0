// SMTP as a client speaks it: commands as text, replies as values. Pure: no socket.
//
// In      an envelope; a server's bytes, which may be anything
// Out     command lines; whole replies; what EHLO offers
// Limits  REPLY_LINE_BYTES a line, REPLY_LINES a reply, REPLY_TEXT of its text are kept
// Never   lets a line break into a command; takes a reply apart from what stands behind it without saying so
// RFC 5321 §4.1.1 §4.2 §4.5.3.1.5, RFC 1870 §3, RFC 2034 §4, RFC 3207 §4, RFC 6152 §3

import { characterClass } from '../../base/characters.ts';
import { Cursor, SyntaxFailure } from '../../base/cursor.ts';
import type { Address } from '../../message/address.ts';
import { type BodyKind, formatPath, type MailParameters, type Recipient } from '../../message/envelope.ts';
import { Framer } from '../framer.ts';
import { formatMail, formatRcpt } from './parameters.ts';
import { parseReplyLine, splitEnhanced } from './replies.ts';

/** RFC 5321 §4.5.3.1.5 says 512; programs write more. */
const REPLY_LINE_BYTES = 2048;
const REPLY_LINES = 100;
const REPLY_TEXT = 1000;
/** From here on codes refuse. */
const REFUSAL = 400;

export interface ClientReply {
  readonly code: number;
  /** Undefined where the server says none, or one of another class than its code. */
  readonly enhanced: string | undefined;
  /** Text of each line, without code and enhanced status. latin1. */
  readonly lines: readonly string[];
  /** All of it as it was said, a space between lines, cut at REPLY_TEXT: `550 5.1.1 No such user`. */
  readonly said: string;
}

/** Replies out of a server's bytes. */
export class ReplyReader {
  readonly #framer = new Framer();
  #code = 0;
  #lines: string[] = [];

  push(chunk: Buffer): void {
    this.#framer.push(chunk);
  }

  /** The next whole reply, undefined when its end has not come. Throws SyntaxFailure for what is no reply. */
  next(): ClientReply | undefined {
    for (;;) {
      const line = this.#framer.line(REPLY_LINE_BYTES);
      if (line === undefined) return undefined;
      if (line.kind === 'bad-line') throw new SyntaxFailure(`a reply line, not a line that is ${line.reason}`, 0);
      const parsed = parseReplyLine(line.text);
      if (parsed === undefined) throw new SyntaxFailure('a reply line', 0);
      if (this.#lines.length > 0 && parsed.code !== this.#code) {
        if (parsed.code < REFUSAL) throw new SyntaxFailure('one code in all lines', 0);
        // A host that has begun its greeting, and then finds the client on a list: what it says last is meant. RFC 5321 §4.2.1
        this.#lines = [];
      }
      if (this.#lines.length >= REPLY_LINES) throw new SyntaxFailure(`at most ${REPLY_LINES} lines in a reply`, 0);
      this.#code = parsed.code;
      this.#lines.push(parsed.text);
      if (!parsed.more) return this.#take();
    }
  }

  /** Nothing waits, not even the beginning of a line. */
  get isEmpty(): boolean {
    return this.#lines.length === 0 && this.#framer.waitingBytes === 0;
  }

  #take(): ClientReply {
    const code = this.#code;
    const lines = this.#lines;
    this.#lines = [];
    const first = splitEnhanced(code, lines[0]!);
    return {
      code,
      enhanced: first.enhanced,
      lines: first.enhanced === undefined ? lines : lines.map((line) => splitEnhanced(code, line).text),
      said: said(code, lines),
    };
  }
}

function said(code: number, lines: readonly string[]): string {
  let text = String(code);
  for (const line of lines) {
    if (text.length > REPLY_TEXT) break;
    text += ` ${line}`;
  }
  return text.slice(0, REPLY_TEXT);
}

/** What a server offers; nothing of it after HELO. */
export interface Capabilities {
  readonly pipelining: boolean;
  readonly eightBitMime: boolean;
  readonly startTls: boolean;
  /** Bytes of a message; undefined: SIZE is not offered. 0: offered without a limit. */
  readonly sizeBytes: number | undefined;
  readonly smtpUtf8: boolean;
  readonly dsn: boolean;
  /** Seconds that it needs at least, 0 where it says none; undefined: DELIVERBY is not offered. */
  readonly deliverBy: number | undefined;
  readonly futureRelease: boolean;
  readonly priority: boolean;
  readonly requireTls: boolean;
  /** SASL mechanisms, in upper case. */
  readonly auth: readonly string[];
  /** What it says it takes: recipients of a message, messages of a connection. RFC 9422 */
  readonly limits: { readonly rcptMax?: number; readonly mailMax?: number };
}

export const NO_CAPABILITIES: Capabilities = {
  pipelining: false,
  eightBitMime: false,
  startTls: false,
  sizeBytes: undefined,
  smtpUtf8: false,
  dsn: false,
  deliverBy: undefined,
  futureRelease: false,
  priority: false,
  requireTls: false,
  auth: [],
  limits: {},
};

/** From the lines of EHLO's reply; the first one is the greeting. RFC 5321 §4.1.1.1 */
export function parseCapabilities(lines: readonly string[]): Capabilities {
  const offered = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const [keyword, text] = keywordOf(line);
    // Some servers say their mechanisms in several lines.
    const before = keyword === 'AUTH' ? offered.get(keyword) : undefined;
    offered.set(keyword, before === undefined ? text : `${before} ${text}`);
  }
  const size = offered.get('SIZE');
  const deliverBy = offered.get('DELIVERBY');
  return {
    pipelining: offered.has('PIPELINING'),
    eightBitMime: offered.has('8BITMIME'),
    startTls: offered.has('STARTTLS'),
    sizeBytes: size === undefined ? undefined : numberOf(size),
    smtpUtf8: offered.has('SMTPUTF8'),
    dsn: offered.has('DSN'),
    deliverBy: deliverBy === undefined ? undefined : numberOf(deliverBy),
    futureRelease: offered.has('FUTURERELEASE'),
    priority: offered.has('MT-PRIORITY'),
    requireTls: offered.has('REQUIRETLS'),
    auth: wordsOf(offered.get('AUTH')),
    limits: parseLimits(wordsOf(offered.get('LIMITS'))),
  };
}

/** `AUTH=LOGIN`, from before RFC 2554, is `AUTH LOGIN`. */
function keywordOf(line: string): [keyword: string, text: string] {
  const space = line.indexOf(' ');
  const keyword = (space < 0 ? line : line.slice(0, space)).toUpperCase();
  const text = space < 0 ? '' : line.slice(space + 1).trim();
  return keyword.startsWith('AUTH=') ? ['AUTH', `${keyword.slice('AUTH='.length)} ${text}`] : [keyword, text];
}

function wordsOf(text = ''): string[] {
  return text
    .toUpperCase()
    .split(' ')
    .filter((word) => word !== '');
}

/** `RCPTMAX=100 MAILMAX=20`: a number above 0, or no limit. RFC 9422 §3 */
function parseLimits(words: readonly string[]): Capabilities['limits'] {
  const named = (name: string): number => {
    const word = words.find((one) => one.startsWith(`${name}=`));
    return word === undefined ? 0 : numberOf(word.slice(name.length + 1));
  };
  const rcptMax = named('RCPTMAX');
  const mailMax = named('MAILMAX');
  return { ...(rcptMax > 0 ? { rcptMax } : {}), ...(mailMax > 0 ? { mailMax } : {}) };
}

/** What is no number is no limit that we could keep. */
function numberOf(text: string): number {
  try {
    const cursor = new Cursor(text);
    const size = cursor.tryNumber() ?? 0;
    cursor.end();
    return size;
  } catch {
    return 0;
  }
}

const LINE_TEXT = characterClass([0x20, 0x7e]);

/**
 * The one place where a command line is made: nothing in it can begin a second one. latin1, an octet a character: where
 * SMTPUTF8 is spoken, the octets of UTF-8.
 */
function commandLine(text: string, isUtf8 = false): string {
  let isAscii = true;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x9f && isUtf8) isAscii = false;
    else if (code > 0x7e || LINE_TEXT[code] === 0) throw new SyntaxFailure('a command of printable characters', at);
  }
  return isAscii ? `${text}\r\n` : `${Buffer.from(text, 'utf8').toString('latin1')}\r\n`;
}

export function ehloCommand(hostname: string): string {
  return commandLine(`EHLO ${hostname}`);
}

export function heloCommand(hostname: string): string {
  return commandLine(`HELO ${hostname}`);
}

/** With an initial response. RFC 4616 */
export function authPlainCommand(name: string, secret: string): string {
  return commandLine(`AUTH PLAIN ${base64(`\0${name}\0${secret}`)}`);
}

export const AUTH_LOGIN_COMMAND = 'AUTH LOGIN\r\n';

/** An answer to a challenge. RFC 4954 §4 */
export function base64Line(text: string): string {
  return commandLine(base64(text));
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** RFC 2033 §4.1 */
export function lhloCommand(hostname: string): string {
  return commandLine(`LHLO ${hostname}`);
}

export interface MailFrom extends MailParameters {
  readonly sender: Address | undefined;
  readonly body: BodyKind;
}

/** `now`: what is a time in the envelope is seconds from now on the wire. */
export function mailCommand(mail: MailFrom, sizeBytes: number, { offered, now }: Hearer): string {
  const size = offered.sizeBytes === undefined ? '' : ` SIZE=${sizeBytes}`;
  return commandLine(`MAIL FROM:${formatPath(mail.sender)}${size}${formatMail(mail, now, offered)}`, mail.isUtf8);
}

/** What the host that gets the command offers, and when it is sent. */
export interface Hearer {
  readonly offered: Capabilities;
  readonly now: number;
}

/** `isUtf8` as MAIL has said it. */
export function rcptCommand(recipient: Recipient, offered: Capabilities, isUtf8 = false): string {
  return commandLine(`RCPT TO:${formatPath(recipient.address)}${formatRcpt(recipient, offered, isUtf8)}`, isUtf8);
}

export const STARTTLS_COMMAND = 'STARTTLS\r\n';
export const RSET_COMMAND = 'RSET\r\n';
export const DATA_COMMAND = 'DATA\r\n';
/** The end of the data. */
export const DOT = '.\r\n';
export const QUIT_COMMAND = 'QUIT\r\n';
