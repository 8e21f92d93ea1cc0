// The parameters of MAIL and RCPT: words of a command to what the envelope keeps of them, and back.
//
// In      parameters by name in lower case, as commands.ts has split them; an envelope, what the other host offers
// Out     values, times as instants of the wall clock; the parameters as a command writes them, each after a space
// Errors  SyntaxFailure for a value that is none; Failure 'unsupported' (555) for a parameter that no extension of ours
//         defines, or one that is offered after a login only
// Limits  ENVID 100 characters, ORCPT 500 (RFC 3461 §4.2 §4.4), a release 30 days from now (FUTURE_RELEASE_MS)
// RFC 1870 §3 (SIZE), RFC 6152 §2 (BODY), RFC 4954 §5 (AUTH), RFC 6531 §3.4 (SMTPUTF8), RFC 3461 §4 (NOTIFY ORCPT RET ENVID),
// RFC 2852 §4 (BY), RFC 4865 §4 (HOLDFOR HOLDUNTIL), RFC 6710 §4 (MT-PRIORITY), RFC 8689 §2 (REQUIRETLS)

import { Cursor, SyntaxFailure } from '../../base/cursor.ts';
import { DAY_MS } from '../../base/duration.ts';
import { Failure } from '../../base/failure.ts';
import { parseInstant } from '../../message/date.ts';
import type {
  BodyKind,
  DeliverBy,
  DsnOfRecipient,
  MailParameters,
  NotifyWord,
  OriginalRecipient,
} from '../../message/envelope.ts';
import type { Capabilities } from './client.ts';
import { decodeUnitext, decodeXtext, encodeUnitext, encodeXtext } from './xtext.ts';

export type CommandParameters = ReadonlyMap<string, string>;

export interface MailWords extends MailParameters {
  readonly sizeBytes?: number;
  readonly body: BodyKind;
}

/** Who speaks, and when. */
export interface ParameterScope {
  /** Epoch milliseconds of the wall clock. */
  readonly now: number;
  /** Delivery by a time, a future release and a priority are for who has logged in. */
  readonly isAuthor: boolean;
}

/** How far ahead a message may be held by its sender. */
export const FUTURE_RELEASE_MS = 30 * DAY_MS;

const ENVID_MAX = 100;
const ORCPT_MAX = 500;

type Draft<T> = { -readonly [K in keyof T]: T[K] };

export function parseMailParameters(parameters: CommandParameters, scope: ParameterScope): MailWords {
  const words: Draft<MailWords> = { body: '7BIT' };
  for (const [name, value] of parameters) MAIL[known(name)]!(words, value, scope);
  // What is past is now. RFC 4865 §4.1
  if (words.holdUntil !== undefined && words.holdUntil <= scope.now) delete words.holdUntil;
  return words;

  function known(name: string): string {
    if (!Object.hasOwn(MAIL, name) || (FOR_AUTHORS.has(name) && !scope.isAuthor))
      throw new Failure('unsupported', `MAIL parameter ${printable(name)} is not known`);
    return name;
  }
}

const FOR_AUTHORS: ReadonlySet<string> = new Set(['by', 'holdfor', 'holduntil', 'mt-priority']);

type TakeWord = (words: Draft<MailWords>, value: string, scope: ParameterScope) => void;

const MAIL: Readonly<Record<string, TakeWord>> = {
  // It says whom the peer believes to be the author. It is not used: no peer is trusted for it. RFC 4954 §5
  auth() {},
  body(words, value) {
    words.body = oneOf(value, ['7BIT', '8BITMIME']);
  },
  by(words, value, { now }) {
    words.by = parseBy(value, now);
  },
  envid(words, value) {
    const envid = decodeXtext(value);
    if (envid === undefined || envid === '' || envid.length > ENVID_MAX)
      throw expected(`ENVID of 1 to ${ENVID_MAX} characters in xtext`);
    words.envid = envid;
  },
  holdfor(words, value, { now }) {
    hold(words, now + seconds(value, 'HOLDFOR') * 1000, now);
  },
  holduntil(words, value, { now }) {
    const at = parseInstant(value);
    if (at === undefined) throw expected('HOLDUNTIL as 2026-12-31T08:00:00Z');
    hold(words, at, now);
  },
  'mt-priority'(words, value) {
    const priority = Number(value);
    if (value === '-0' || String(priority) !== value || !(Math.abs(priority) <= 9))
      throw expected('MT-PRIORITY of -9 to 9');
    if (priority !== 0) words.priority = priority;
  },
  requiretls(words, value) {
    without(value, 'REQUIRETLS');
    words.requireTls = true;
  },
  ret(words, value) {
    words.ret = oneOf(value, ['FULL', 'HDRS']);
  },
  size(words, value) {
    words.sizeBytes = parseSize(value);
  },
  smtputf8(words, value) {
    without(value, 'SMTPUTF8');
    words.isUtf8 = true;
  },
};

export function parseRcptParameters(parameters: CommandParameters): DsnOfRecipient {
  const asked: Draft<DsnOfRecipient> = {};
  for (const [name, value] of parameters) {
    if (name === 'notify') asked.notify = parseNotify(value);
    else if (name === 'orcpt') asked.orcpt = parseOriginal(value);
    else throw new Failure('unsupported', `RCPT parameter ${printable(name)} is not known`);
  }
  return asked;
}

function expected(what: string): SyntaxFailure {
  return new SyntaxFailure(what, 0);
}

function oneOf<T extends string>(value: string, words: readonly T[]): T {
  const upper = value.toUpperCase();
  const found = words.find((word) => word === upper);
  if (found === undefined) throw expected(words.join(' or '));
  return found;
}

function without(value: string, name: string): void {
  if (value !== '') throw expected(`${name} without a value`);
}

function parseSize(value: string): number {
  const cursor = new Cursor(value);
  // RFC 1870 allows 20 digits; what exceeds 2^53 exceeds every limit.
  if (value.length > 15 && value.length <= 20 && /^\d+$/.test(value)) return Number.MAX_SAFE_INTEGER;
  const size = cursor.number();
  cursor.end();
  return size;
}

/** Of one to nine digits, and not 0. */
function seconds(value: string, name: string): number {
  const cursor = new Cursor(value);
  const number = cursor.tryNumber(9);
  if (number === undefined || number === 0 || !cursor.atEnd) throw expected(`${name} in seconds`);
  return number;
}

function hold(words: Draft<MailWords>, at: number, now: number): void {
  if (words.holdUntil !== undefined) throw expected('HOLDFOR or HOLDUNTIL, not both');
  if (at - now > FUTURE_RELEASE_MS) throw expected('a release within 30 days');
  words.holdUntil = at;
}

/** `120;R`, `-60;NT`: seconds from now, what then, and whether a report of relaying is wanted. */
function parseBy(value: string, now: number): DeliverBy {
  const cursor = new Cursor(value);
  const isNegative = cursor.tryTake('-');
  if (!isNegative) cursor.tryTake('+');
  const number = cursor.tryNumber(9);
  if (number === undefined) throw expected('BY=SECONDS;R or BY=SECONDS;N');
  cursor.take(';');
  const mode = cursor.tryWord('R') ? 'R' : cursor.tryWord('N') ? 'N' : cursor.fail('R or N');
  const trace = cursor.tryWord('T');
  cursor.end();
  const seconds = isNegative ? -number : number;
  // What is to be returned when it is too late must not be too late already. RFC 2852 §4.1.2
  if (mode === 'R' && seconds <= 0) throw expected('BY=SECONDS;R with a time to come');
  return { at: now + seconds * 1000, mode, ...(trace ? { trace } : {}) };
}

const NOTIFY_WORDS = ['SUCCESS', 'FAILURE', 'DELAY'] as const;

function parseNotify(value: string): readonly NotifyWord[] {
  if (value.toUpperCase() === 'NEVER') return [];
  const given = value.split(',').map((word) => oneOf(word, NOTIFY_WORDS));
  return NOTIFY_WORDS.filter((word) => given.includes(word));
}

function parseOriginal(value: string): OriginalRecipient {
  const semicolon = value.indexOf(';');
  const type = value.slice(0, Math.max(0, semicolon));
  const text = value.slice(semicolon + 1);
  const address = type.toLowerCase() === 'utf-8' ? decodeUnitext(text) : decodeXtext(text);
  if (!isAtom(type) || address === undefined || address === '' || address.length > ORCPT_MAX)
    throw expected(`ORCPT=TYPE;ADDRESS of 1 to ${ORCPT_MAX} characters in xtext`);
  return { type, address };
}

function isAtom(type: string): boolean {
  return /^[A-Za-z0-9-]{1,40}$/.test(type);
}

function printable(text: string): string {
  return text.slice(0, 40);
}

/** What MAIL says of an envelope to a host that offers this; what it does not offer is left out. */
export function formatMail(
  envelope: MailParameters & { readonly body: BodyKind },
  now: number,
  offered: Capabilities,
): string {
  const { body, isUtf8, ret, envid, by, holdUntil, priority, requireTls } = envelope;
  let text = offered.eightBitMime && body === '8BITMIME' ? ' BODY=8BITMIME' : '';
  if (isUtf8 === true && offered.smtpUtf8) text += ' SMTPUTF8';
  if (ret !== undefined && offered.dsn) text += ` RET=${ret}`;
  if (envid !== undefined && offered.dsn) text += ` ENVID=${encodeXtext(envid)}`;
  if (by !== undefined && offered.deliverBy !== undefined) text += formatBy(by, now);
  if (holdUntil !== undefined && offered.futureRelease) text += ` HOLDUNTIL=${new Date(holdUntil).toISOString()}`;
  if (priority !== undefined && offered.priority) text += ` MT-PRIORITY=${priority}`;
  if (requireTls === true && offered.requireTls) text += ' REQUIRETLS';
  return text;
}

function formatBy({ at, mode, trace }: DeliverBy, now: number): string {
  return ` BY=${Math.ceil((at - now) / 1000)};${mode}${trace === true ? 'T' : ''}`;
}

/** What RCPT says; `isUtf8` as MAIL has said it. */
export function formatRcpt({ notify, orcpt }: DsnOfRecipient, offered: Capabilities, isUtf8 = false): string {
  if (!offered.dsn) return '';
  let text = '';
  if (notify !== undefined) text += ` NOTIFY=${notify.length === 0 ? 'NEVER' : notify.join(',')}`;
  if (orcpt !== undefined) text += ` ORCPT=${orcpt.type};${formatOriginal(orcpt, isUtf8)}`;
  return text;
}

function formatOriginal({ type, address }: OriginalRecipient, isUtf8: boolean): string {
  return type.toLowerCase() === 'utf-8' ? encodeUnitext(address, isUtf8) : encodeXtext(address);
}
