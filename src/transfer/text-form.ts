// The text form of a queued message: its envelope as lines, a line of two CTRL-A, then the message byte for byte.
//
//   MAIL FROM:<ann@acme.example> BODY=8BITMIME
//   RCPT TO:<bob@remote.example>
//   X-Id: 2M9QFJ1XK
//   X-Arrived: 2026-12-01T08:00:00.000Z
//   X-Login: ann@acme.example
//   X-Channel: smtp
//   ^A^A
//   Subject: ...
//
// In      an envelope and what is known of its way; the first bytes of a file, which may be anything
// Out     lines that end in CRLF; the same values, and where the message begins. Lines are read with LF alone, too
// Order   MAIL, then RCPT lines; X- lines anywhere, each once at most; nothing else
// Limits  TEXT_HEAD_BYTES to the boundary, RCPT_MAX recipients, LINE_BYTES a line
// Errors  Failure('invalid') that names the line
// Time    BY is relative to X-Arrived, where that is missing to now; HOLDUNTIL is absolute
// The message of a file without a single CRLF has lines that end in LF: each becomes CRLF (crlfOf).
// RFC 5321 §4.1.1.2 §4.1.1.3; parameters as the submission door takes them: wire/smtp/parameters.ts

import { systemClock } from '../base/clock.ts';
import { asFailure, Failure } from '../base/failure.ts';
import type { Address } from '../message/address.ts';
import type { Envelope, Recipient } from '../message/envelope.ts';
import { type Capabilities, mailCommand, NO_CAPABILITIES, rcptCommand } from '../wire/smtp/client.ts';
import { parseCommand, type SmtpCommand } from '../wire/smtp/commands.ts';
import { parseMailParameters, parseRcptParameters } from '../wire/smtp/parameters.ts';

/** No boundary within: it is no text form. */
export const TEXT_HEAD_BYTES = 1024 * 1024 + 64;
const RCPT_MAX = 100_000;
const LINE_BYTES = 4096;
const BOUNDARY = '\x01\x01';
const CR = 0x0d;
const LF = 0x0a;

export interface TextForm {
  readonly envelope: Envelope;
  /** The queue id that the message had. */
  readonly id?: string;
  /** Epoch ms: when it came. */
  readonly arrivedAt?: number;
  /** Who had logged in, for people. */
  readonly login?: string;
  /** The name of the channel on which it waited. */
  readonly channel?: string;
}

/** To the boundary, with it. `now`: wall clock, for times that are written relative to it. */
export function writeTextHead({ envelope, id, arrivedAt, login, channel }: TextForm, now = systemClock.now()): Buffer {
  const { sender, recipients } = envelope;
  const isUtf8 = envelope.isUtf8 === true || ![sender, ...recipients.map(({ address }) => address)].every(isAscii);
  const mail = isUtf8 ? { ...envelope, isUtf8: true as const } : envelope;
  const lines = [
    mailCommand(mail, 0, { offered: ALL_OFFERED, now: arrivedAt ?? now }),
    ...recipients.map((recipient) => rcptCommand(recipient, ALL_OFFERED, isUtf8)),
  ];
  const say = (name: string, value: string | undefined): void => {
    if (value !== undefined) lines.push(`${name}: ${Buffer.from(oneLine(value), 'utf8').toString('latin1')}\r\n`);
  };
  say('X-Id', id);
  say('X-Arrived', arrivedAt === undefined ? undefined : new Date(arrivedAt).toISOString());
  say('X-Login', login);
  say('X-Channel', channel);
  lines.push(`${BOUNDARY}\r\n`);
  return Buffer.from(lines.join(''), 'latin1');
}

/** Every parameter is written. */
const ALL_OFFERED: Capabilities = {
  ...NO_CAPABILITIES,
  ...{ eightBitMime: true, smtpUtf8: true, dsn: true, deliverBy: 0 },
  ...{ futureRelease: true, priority: true, requireTls: true },
};

/** Domains are A-labels in any case. */
function isAscii(address: Address | undefined): boolean {
  if (address === undefined) return true;
  for (let at = 0; at < address.localPart.length; at++) if (address.localPart.charCodeAt(at) > 0x7f) return false;
  return true;
}

/** A directory may hold any text. */
function oneLine(value: string): string {
  let clean = '';
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    clean += code < 0x20 || code === 0x7f ? '?' : value.charAt(at);
  }
  return clean;
}

/** `bytes`: the file from its beginning, TEXT_HEAD_BYTES of it or all. `now`: wall clock. */
export function parseTextHead(bytes: Buffer, now: number): { readonly form: TextForm; readonly bodyAt: number } {
  const parts = new HeadParts();
  let number = 1;
  for (let at = 0; ; number++) {
    const end = bytes.indexOf(LF, at);
    if (end < 0 || end >= TEXT_HEAD_BYTES)
      throw notAt(number, 'the line of two CTRL-A that ends the envelope is missing');
    const line = bytes.subarray(at, end > at && bytes[end - 1] === CR ? end - 1 : end);
    at = end + 1;
    if (line.length > LINE_BYTES) throw notAt(number, 'the line is too long');
    const text = line.toString('latin1');
    if (text === BOUNDARY) return { form: parts.whole(number, now), bodyAt: at };
    parts.take(text, number);
  }
}

type MailCommand = Extract<SmtpCommand, { verb: 'MAIL' }>;

class HeadParts {
  #mail: { readonly command: MailCommand; readonly number: number } | undefined;
  readonly #recipients: Recipient[] = [];
  /** Of the first recipient whose address is beyond ASCII. */
  #eightBitAt: number | undefined;
  readonly #known: Partial<Record<keyof typeof FIELDS, string>> = {};
  #arrivedAt: number | undefined;

  take(line: string, number: number): void {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).toLowerCase();
    if (Object.hasOwn(FIELDS, name)) this.#field(name as keyof typeof FIELDS, line.slice(colon + 1), number);
    else this.#command(line, number);
  }

  #field(field: keyof typeof FIELDS, written: string, number: number): void {
    if (this.#known[field] !== undefined) throw notAt(number, `${FIELDS[field]} stands there twice`);
    const value = utf8(written, number).trim();
    if (oneLine(value) !== value) throw notAt(number, 'the line has a control character');
    this.#known[field] = value;
    if (field === 'x-arrived') this.#arrivedAt = timeOf(value, number);
  }

  #command(line: string, number: number): void {
    const command = at(number, () => parseCommand(line));
    switch (command.verb) {
      case 'MAIL':
        if (this.#mail !== undefined) throw notAt(number, 'MAIL stands there twice');
        this.#mail = { command, number };
        return;
      case 'RCPT': {
        if (this.#mail === undefined) throw notAt(number, 'MAIL comes before RCPT');
        if (this.#recipients.length >= RCPT_MAX) throw notAt(number, `at most ${RCPT_MAX} recipients`);
        const { recipient: address, written: original, parameters, isEightBit } = command;
        if (isEightBit) this.#eightBitAt ??= number;
        this.#recipients.push({ address, original, ...at(number, () => parseRcptParameters(parameters)) });
        return;
      }
      default:
        throw notAt(number, 'MAIL FROM:<..>, RCPT TO:<..>, X-Id:, X-Arrived:, X-Login:, X-Channel: are known');
    }
  }

  /** What MAIL says depends on X-Arrived, wherever that stands. */
  whole(number: number, now: number): TextForm {
    if (this.#mail === undefined) throw notAt(number, 'MAIL FROM is missing');
    if (this.#recipients.length === 0) throw notAt(number, 'there is no recipient');
    const { command, number: mailAt } = this.#mail;
    const scope = { now: this.#arrivedAt ?? now, isAuthor: true };
    const { sizeBytes: _, ...parameters } = at(mailAt, () => parseMailParameters(command.parameters, scope));
    const eightBitAt = command.isEightBit ? mailAt : this.#eightBitAt;
    if (eightBitAt !== undefined && parameters.isUtf8 !== true)
      throw notAt(eightBitAt, 'an address beyond ASCII, and MAIL has no SMTPUTF8');
    const { 'x-id': id, 'x-login': login, 'x-channel': channel } = this.#known;
    return {
      envelope: { sender: command.sender, recipients: this.#recipients, ...parameters },
      ...(id === undefined ? {} : { id }),
      ...(this.#arrivedAt === undefined ? {} : { arrivedAt: this.#arrivedAt }),
      ...(login === undefined ? {} : { login }),
      ...(channel === undefined ? {} : { channel }),
    };
  }
}

const FIELDS = { 'x-id': 'X-Id', 'x-arrived': 'X-Arrived', 'x-login': 'X-Login', 'x-channel': 'X-Channel' } as const;

function at<T>(number: number, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw notAt(number, asFailure(error).message);
  }
}

/** As writeTextHead writes it, or as people do, with or without a fraction of a second. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/;

function timeOf(text: string, number: number): number {
  const at = TIME.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw notAt(number, 'X-Arrived is a time such as 2026-12-01T08:00:00Z');
  return at;
}

function utf8(latin1: string, number: number): string {
  try {
    return STRICT.decode(Buffer.from(latin1, 'latin1'));
  } catch {
    throw notAt(number, 'the line is not UTF-8');
  }
}

const STRICT = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function notAt(number: number, words: string): Failure {
  return new Failure('invalid', `line ${number}: ${words}`);
}

/** Looks through a message in chunks for the first CRLF. */
export class CrlfSearch {
  #isAfterCr = false;
  #found = false;

  get found(): boolean {
    return this.#found;
  }

  push(chunk: Buffer): void {
    if (this.#found || chunk.length === 0) return;
    this.#found = (this.#isAfterCr && chunk[0] === LF) || chunk.includes('\r\n');
    this.#isAfterCr = chunk[chunk.length - 1] === CR;
  }
}

/** A chunk of a message that has no CRLF: each LF becomes one. */
export function crlfOf(chunk: Buffer): Buffer {
  const made: Buffer[] = [];
  let at = 0;
  for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, at)) {
    made.push(chunk.subarray(at, end), CRLF);
    at = end + 1;
  }
  if (at === 0) return chunk;
  made.push(chunk.subarray(at));
  return Buffer.concat(made);
}

const CRLF = Buffer.from('\r\n');
