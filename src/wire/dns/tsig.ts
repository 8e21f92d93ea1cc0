// TSIG: one shared key signs a message, its answer, and each message of a series.
//
// In      the octets of a message; the key, or where to find it by its name; the second of the clock
// Out     the octets with a TSIG record at their end and its MAC; or whose key has signed, or which error the answer names
// States  of a series: the first message is bound to the request, each later one to the one before
// Errors  FORMERR BADKEY BADSIG BADTIME BADTRUNC, in the order of RFC 8945 §5.2
// Limits  FUDGE_S either way, as the signer says; a MAC of less than its whole length is BADTRUNC, under half of it FORMERR
// Servers verifyTsig, then refusalByTsig, or signTsig with the request's MAC, or TsigSeries; tsigBytes says what stays free
// Clients signTsig, then verifyTsig with that MAC, or TsigSeriesCheck
// Never   decodes other records: the MAC is over octets, and another encoding of the same values would not have it
// RFC 8945, RFC 4635

import { createHmac, type Hmac, timingSafeEqual } from 'node:crypto';
import { asciiLower } from '../../base/characters.ts';
import { SyntaxFailure } from '../../base/cursor.ts';
import { Failure } from '../../base/failure.ts';
import { DNS_HEADER_BYTES, DnsReader, DnsWriter, MESSAGE_BYTES } from './buffer.ts';
import { CLASS_ANY, RCODE, TSIG_ERROR, typeCode } from './codes.ts';
import { nameOctets } from './name.ts';

export type TsigAlgorithm = 'hmac-sha256' | 'hmac-sha384' | 'hmac-sha512';

export interface TsigKey {
  /** Lower case, as name.ts writes names. */
  readonly name: string;
  readonly algorithm: TsigAlgorithm;
  readonly secret: Buffer;
}

/** `name` in lower case. */
export type TsigKeys = (name: string) => TsigKey | undefined;

export type TsigError = 'FORMERR' | keyof typeof TSIG_ERROR;

export interface TsigVerified {
  readonly key: TsigKey;
  readonly record: TsigRecord;
  /** What binds the answer to the request, and the next message of a series to this one. */
  readonly mac: Buffer;
}

export interface TsigRefused {
  readonly error: TsigError;
  /** Where the record could be read: what an answer repeats. */
  readonly record?: TsigRecord;
  /** Of errors that are answered with a signature. */
  readonly key?: TsigKey;
}

/** RFC 8945 §4.2 */
export interface TsigRecord {
  readonly name: string;
  /** A name, in lower case. */
  readonly algorithm: string;
  /** Seconds of Unix time, 48 bits. */
  readonly signedAt: number;
  readonly fudge: number;
  readonly mac: Buffer;
  readonly originalId: number;
  /** A response code; not 0 in an answer that refuses. */
  readonly error: number;
  readonly other: Buffer;
}

export interface TsigBinding {
  /** Of an answer: the MAC of its request. */
  readonly request?: Buffer;
  /** Of a later message in a series: the MAC of the one before. */
  readonly earlier?: Buffer;
}

const HASHES: Readonly<Record<TsigAlgorithm, { readonly hash: string; readonly bytes: number }>> = {
  'hmac-sha256': { hash: 'sha256', bytes: 32 },
  'hmac-sha384': { hash: 'sha384', bytes: 48 },
  'hmac-sha512': { hash: 'sha512', bytes: 64 },
};

const TSIG = typeCode('TSIG');
const FUDGE_S = 300;
const MAC_BYTES_MIN = 10;
const ARCOUNT_AT = 10;
/** Type, class, TTL and length. */
const FIXED_BYTES = 10;
/** Messages of a series that may come without a signature between two that have one. RFC 8945 §5.3.1 */
const UNSIGNED_MAX = 99;

/** The octets that a signature of this key adds to a message. */
export function tsigBytes(key: TsigKey): number {
  const names = nameOctets(key.name).length + 1 + key.algorithm.length + 2;
  return names + FIXED_BYTES + 16 + HASHES[key.algorithm].bytes;
}

/** `message` without a TSIG record; `at` in seconds. Throws Failure 'too-large' beyond 65,535 octets. */
export function signTsig(
  message: Uint8Array,
  key: TsigKey,
  { at, ...binding }: TsigBinding & { readonly at: number },
): { readonly octets: Uint8Array; readonly mac: Buffer } {
  const record = emptyRecord({ name: key.name, algorithm: key.algorithm, signedAt: at }, message);
  const hmac = begin(key, binding);
  hmac.update(message);
  finishVariables(hmac, record, binding.earlier !== undefined);
  const mac = hmac.digest();
  return { octets: withRecord(message, { ...record, mac }), mac };
}

function emptyRecord(
  { name, algorithm, signedAt }: Pick<TsigRecord, 'name' | 'algorithm' | 'signedAt'>,
  message: Uint8Array,
): TsigRecord {
  const originalId = (message[0]! << 8) | message[1]!;
  const empty = Buffer.alloc(0);
  return { name, algorithm, signedAt, fudge: FUDGE_S, mac: empty, originalId, error: 0, other: empty };
}

/** `now` in seconds. Undefined: the message has no TSIG record. */
export function verifyTsig(
  octets: Uint8Array,
  keys: TsigKeys,
  { now, ...binding }: TsigBinding & { readonly now: number },
): TsigVerified | TsigRefused | undefined {
  const found = findTsig(octets);
  if (found === undefined || 'error' in found) return found;
  const { record, start } = found;
  const key = keys(record.name);
  if (key === undefined || key.algorithm !== record.algorithm) return { error: 'BADKEY', record };
  const wholeBytes = HASHES[key.algorithm].bytes;
  const leastBytes = Math.max(MAC_BYTES_MIN, wholeBytes / 2);
  // An answer that refuses may have none.
  const hasNone = record.mac.length === 0 && record.error !== 0;
  if (!hasNone && (record.mac.length > wholeBytes || record.mac.length < leastBytes))
    return { error: 'FORMERR', record };
  const hmac = begin(key, binding);
  updateWithout(hmac, octets, { record, start });
  finishVariables(hmac, record, binding.earlier !== undefined);
  return judge({ record, key, mac: hmac.digest() }, now);
}

function judge(
  { record, key, mac }: { readonly record: TsigRecord; readonly key: TsigKey; readonly mac: Buffer },
  now: number,
): TsigVerified | TsigRefused {
  const part = mac.subarray(0, record.mac.length);
  if (record.mac.length === 0 || !timingSafeEqual(part, record.mac)) return { error: 'BADSIG', record };
  if (Math.abs(now - record.signedAt) > record.fudge) return { error: 'BADTIME', record, key };
  if (record.mac.length < mac.length) return { error: 'BADTRUNC', record, key };
  return { key, record, mac };
}

/**
 * What an answer says that refuses for this: its question again and why; signed where the request's signature was good. `opt`: an
 * OPT record for it, in octets.
 */
export function refusalByTsig(
  query: Uint8Array,
  refused: TsigRefused & { readonly opt?: Uint8Array | undefined },
  now: number,
): Uint8Array {
  const { error, record, key, opt } = refused;
  const head = withOpt(refusalHead(query, error === 'FORMERR' ? RCODE.FORMERR : RCODE.NOTAUTH), opt);
  if (error === 'FORMERR' || record === undefined) return head;
  const answer = { ...emptyRecord({ ...record, signedAt: now }, head), error: TSIG_ERROR[error] };
  if (key === undefined) return withRecord(head, answer);
  // The client's own time, so that it can verify; ours beside it. RFC 8945 §5.2.3
  const signed = error === 'BADTIME' ? { ...answer, signedAt: record.signedAt, other: time48(now) } : answer;
  const hmac = begin(key, { request: record.mac });
  hmac.update(head);
  finishVariables(hmac, signed, false);
  return withRecord(head, { ...signed, mac: hmac.digest() });
}

/** Signs the messages of one answer: each of them, which no client finds too much. */
export class TsigSeries {
  readonly #key: TsigKey;
  readonly #now: () => number;
  #binding: TsigBinding;

  /** `request`: the MAC of the request; `now` in seconds. */
  constructor(key: TsigKey, request: Buffer, now: () => number) {
    this.#key = key;
    this.#binding = { request };
    this.#now = now;
  }

  sign(message: Uint8Array): Uint8Array {
    const { octets, mac } = signTsig(message, this.#key, { ...this.#binding, at: this.#now() });
    this.#binding = { earlier: mac };
    return octets;
  }
}

/** Verifies the messages of one answer, of which the first and the last are signed, and one in a hundred between. */
export class TsigSeriesCheck {
  readonly #key: TsigKey;
  readonly #now: () => number;
  #hmac: Hmac;
  #isFirst = true;
  #unsigned = 0;

  constructor(key: TsigKey, request: Buffer, now: () => number) {
    this.#key = key;
    this.#now = now;
    this.#hmac = begin(key, { request });
  }

  /** All that came so far is of who has the key. */
  get isSigned(): boolean {
    return !this.#isFirst && this.#unsigned === 0;
  }

  /** Throws Failure 'unavailable' for a message that is not signed as it must be. */
  take(octets: Uint8Array): void {
    const found = findTsig(octets);
    if (found === undefined) {
      if (this.#isFirst || ++this.#unsigned > UNSIGNED_MAX) throw unsigned('no signature');
      this.#hmac.update(octets);
      return;
    }
    if ('error' in found) throw unsigned(found.error);
    const { record } = found;
    if (record.error !== 0) throw unsigned(`the server says ${tsigErrorName(record.error)}`);
    if (record.name !== this.#key.name || record.algorithm !== this.#key.algorithm) throw unsigned('BADKEY');
    updateWithout(this.#hmac, octets, found);
    finishVariables(this.#hmac, record, !this.#isFirst);
    const judged = judge({ record, key: this.#key, mac: this.#hmac.digest() }, this.#now());
    if ('error' in judged) throw unsigned(judged.error);
    this.#hmac = begin(this.#key, { earlier: judged.mac });
    this.#isFirst = false;
    this.#unsigned = 0;
  }
}

function unsigned(why: string): Failure {
  return new Failure('unavailable', `the answer is not signed by its key: ${why}`);
}

/** Of the error field of a TSIG record. */
export function tsigErrorName(code: number): string {
  for (const [name, value] of Object.entries(TSIG_ERROR)) if (value === code) return name;
  return `error ${code}`;
}

interface FoundTsig {
  readonly record: TsigRecord;
  /** Where it begins. */
  readonly start: number;
}

/** The TSIG record at the end, undefined where there is none. One that stands elsewhere, or twice, is an error. */
function findTsig(octets: Uint8Array): FoundTsig | TsigRefused | undefined {
  try {
    return readTsig(octets);
  } catch (error) {
    if (error instanceof SyntaxFailure) return { error: 'FORMERR' };
    throw error;
  }
}

function readTsig(octets: Uint8Array): FoundTsig | undefined {
  const reader = new DnsReader(octets, 4);
  const questions = reader.u16();
  const records = reader.u16() + reader.u16() + reader.u16();
  const additionals = (octets[ARCOUNT_AT]! << 8) | octets[ARCOUNT_AT + 1]!;
  for (let i = 0; i < questions; i++) {
    reader.skipName();
    reader.skip(4);
  }
  for (let i = 1; i <= records; i++) {
    const start = reader.offset;
    reader.skipName();
    if (reader.u16() !== TSIG) {
      reader.skip(FIXED_BYTES - 4);
      reader.skip(reader.u16());
      continue;
    }
    if (i < records || additionals === 0) reader.fail('a TSIG record at the end alone');
    reader.offset = start;
    const record = readRecord(reader);
    if (!reader.atEnd) reader.fail('the end of the message');
    return { record, start };
  }
  return undefined;
}

function readRecord(reader: DnsReader): TsigRecord {
  const name = asciiLower(reader.name());
  reader.skip(2);
  // RFC 8945 §4.2
  if (reader.u16() !== CLASS_ANY || reader.u32() !== 0) reader.fail('a TSIG record of class ANY and TTL 0');
  const end = reader.u16() + reader.offset;
  const algorithm = asciiLower(reader.name());
  const signedAt = reader.u16() * 2 ** 32 + reader.u32();
  const fudge = reader.u16();
  const mac = Buffer.from(reader.octets(reader.u16()));
  const originalId = reader.u16();
  const error = reader.u16();
  const other = Buffer.from(reader.octets(reader.u16()));
  if (reader.offset !== end) reader.fail('the end of the TSIG record');
  return { name, algorithm, signedAt, fudge, mac, originalId, error, other };
}

function begin(key: TsigKey, { request, earlier }: TsigBinding): Hmac {
  const hmac = createHmac(HASHES[key.algorithm].hash, key.secret);
  const before = earlier ?? request;
  if (before !== undefined) hmac.update(u16(before.length)).update(before);
  return hmac;
}

/** The message as it was before its TSIG record was added. RFC 8945 §4.3.2 */
function updateWithout(hmac: Hmac, octets: Uint8Array, { record, start }: FoundTsig): void {
  const header = Buffer.from(octets.subarray(0, DNS_HEADER_BYTES));
  header.writeUInt16BE(record.originalId, 0);
  header.writeUInt16BE(header.readUInt16BE(ARCOUNT_AT) - 1, ARCOUNT_AT);
  hmac.update(header).update(octets.subarray(DNS_HEADER_BYTES, start));
}

/** RFC 8945 §4.3.3; of a later message the times alone (§5.3.1). */
function finishVariables(hmac: Hmac, record: TsigRecord, isLater: boolean): void {
  const writer = new DnsWriter(new Uint8Array(256));
  if (!isLater) {
    writer.wholeName(record.name);
    writer.u16(CLASS_ANY);
    writer.u32(0);
    writer.wholeName(record.algorithm);
  }
  writer.octets(time48(record.signedAt));
  writer.u16(record.fudge);
  if (!isLater) {
    writer.u16(record.error);
    writer.u16(record.other.length);
    writer.octets(record.other);
  }
  hmac.update(writer.finish());
}

function withRecord(message: Uint8Array, record: TsigRecord): Uint8Array {
  const writer = new DnsWriter(new Uint8Array(Math.min(MESSAGE_BYTES, message.length + 256)));
  writer.octets(message);
  writer.wholeName(record.name);
  writer.u16(TSIG);
  writer.u16(CLASS_ANY);
  writer.u32(0);
  const lengthAt = writer.offset;
  writer.u16(0);
  writer.wholeName(record.algorithm);
  writer.octets(time48(record.signedAt));
  writer.u16(record.fudge);
  writer.u16(record.mac.length);
  writer.octets(record.mac);
  writer.u16(record.originalId);
  writer.u16(record.error);
  writer.u16(record.other.length);
  writer.octets(record.other);
  writer.setU16(lengthAt, writer.offset - lengthAt - 2);
  const additionals = (message[ARCOUNT_AT]! << 8) | message[ARCOUNT_AT + 1]!;
  writer.setU16(ARCOUNT_AT, additionals + 1);
  return writer.finish();
}

/** Id, opcode and RD of the query, its one question, and nothing else. */
function refusalHead(query: Uint8Array, rcode: number): Uint8Array {
  const reader = new DnsReader(query, DNS_HEADER_BYTES);
  let questions = (query[4]! << 8) | query[5]!;
  try {
    if (questions !== 1) throw new SyntaxFailure('one question', 4);
    reader.name();
    reader.skip(4);
  } catch (error) {
    if (!(error instanceof SyntaxFailure)) throw error;
    questions = 0;
    reader.offset = DNS_HEADER_BYTES;
  }
  const head = new Uint8Array(reader.offset);
  head.set(query.subarray(0, reader.offset));
  head[2] = 0x80 | (query[2]! & 0x79);
  head[3] = rcode;
  head.fill(0, 4, DNS_HEADER_BYTES);
  head[5] = questions;
  return head;
}

function withOpt(head: Uint8Array, opt: Uint8Array | undefined): Uint8Array {
  if (opt === undefined) return head;
  const whole = new Uint8Array(head.length + opt.length);
  whole.set(head);
  whole.set(opt, head.length);
  whole[ARCOUNT_AT + 1]! += 1;
  return whole;
}

function u16(value: number): Buffer {
  return Buffer.of(value >>> 8, value & 0xff);
}

function time48(seconds: number): Buffer {
  const octets = Buffer.alloc(6);
  octets.writeUIntBE(seconds, 0, 6);
  return octets;
}
