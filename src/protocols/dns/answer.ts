// Answers one DNS query: what is refused, what is looked up, how the response is put together. For UDP and TCP alike.
//
// In      the octets of one query, or of one NOTIFY
// Out     the octets of the response, or nothing where no response is allowed
// EDNS    the response to a query with an OPT record has one, errors included, as far as the query's OPT can be read
// Read-your-writes  the directory's revision is compared before each answer; what it has moved is forgotten (memory.ts)
// Limits  limits.ts; one question a query
// Never   answers a response (two servers would answer each other for ever), recurses
// RFC 1035 §4.1 §7.3, RFC 1996 §3 §4, RFC 2308, RFC 4343, RFC 6891 §6.1.1 §6.1.3 §6.2.3 §7, RFC 7873 §5.2, RFC 8482, RFC 8906 §3

import { asciiLower } from '../../base/characters.ts';
import { SyntaxFailure } from '../../base/cursor.ts';
import { asFailure } from '../../base/failure.ts';
import type { Log } from '../../base/log.ts';
import { DNS_HEADER_BYTES } from '../../wire/dns/buffer.ts';
import { CLASS_IN, OPCODE_NOTIFY, OPCODE_QUERY, OPCODE_UPDATE, RCODE, type RecordType } from '../../wire/dns/codes.ts';
import {
  type DnsHeader,
  type DnsMessage,
  decodeDnsHeader,
  decodeMessage,
  type Edns,
  encodeMessage,
  findEdns,
  optOctets,
  type Question,
} from '../../wire/dns/message.ts';
import type { ResourceRecord } from '../../wire/dns/rdata.ts';
import type { ZoneChanges } from '../../zones/changes.ts';
import type { ZoneAnswer } from '../../zones/records.ts';
import { COOKIE_BYTES, COOKIE_OPTION, type Cookies, isCookieLength } from './cookies.ts';
import { DNS_FAILURE } from './errors.ts';
import { QUERY_BYTES, QUERY_RECORDS_MAX, TCP_BYTES, UDP_BYTES, UDP_BYTES_MAX } from './limits.ts';
import { AnswerMemory, type MadeAnswer } from './memory.ts';
import { type QuickQuery, readQuickQuery } from './quick-query.ts';
import type { RateVerdict, ResponseRate } from './rate.ts';
import { isForSecondaries, openSeal, sealedSeries, type TransferGiven, type ZoneTransfers } from './transfer.ts';

/** Owner, type, class, TTL and length of an OPT record without options. */
const OPT_BYTES = 11;
/** Code and length of an option. */
const OPTION_BYTES = 4;
/** In the first octet of the flags. */
const TRUNCATED = 0x02;

export type Transport = 'udp' | 'tcp';

/** Where a query was received from. */
export interface QueryOrigin {
  readonly transport: Transport;
  /** What one message of the transport carries; over UDP less, as far as the client offers less. */
  readonly sizeBytes: number;
  readonly peerAddress: string;
}

/**
 * The response to the octets of one query: a message; over TCP perhaps a series of them, each made when the one before it
 * is sent (RFC 5936 §2.2), undefined among them where a part was looked at that gives none; undefined for what gets no response: too short for a header, or itself a response. Never throws.
 */
export type Answer = (query: Uint8Array, from: QueryOrigin) => Uint8Array | Series | undefined;

export type Series = Iterable<Uint8Array | undefined>;

export interface AnswerParts {
  /** `name` in lower case; the answer is of one state of the database. May throw a Failure. */
  readonly lookUp: (name: string, type: RecordType) => ZoneAnswer;
  /** The directory's revision that all writes acknowledged so far are in. */
  readonly revision: () => number;
  readonly log: Log;
  /** NOTIFY: `zone` (lower case) has changed, says this address. False when it has no say in it. May throw a Failure. */
  readonly notified?: (zone: string, peerAddress: string) => boolean;
  /** What has moved in the zones since it was last called; undefined: too much, or it is not known. Absent: so. */
  readonly moved?: () => ZoneChanges | undefined;
  /** Absent: nobody is given a zone. */
  readonly transfers?: ZoneTransfers;
  /** Absent: a cookie is passed over. */
  readonly cookies?: Cookies;
  /** Absent: each is answered as often as it asks. */
  readonly rate?: ResponseRate;
  /** Who is not limited. */
  readonly isExempt?: (peerAddress: string) => boolean;
  /** For the metrics: called for each response, with its rcode, or with what the limit has made of it. */
  readonly onAnswer?: (rcode: number | 'drop' | 'truncate', transport: Transport) => void;
}

/** Sections and flags of a response beside what it repeats from its query. */
interface Result {
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  /** Apexes that it was made from. */
  readonly zones: readonly string[];
}

export function createAnswer(parts: AnswerParts): Answer {
  const memory = new AnswerMemory(parts.revision, parts.moved ?? (() => undefined));
  return (octets, from) => {
    const header = decodeDnsHeader(octets);
    if (header === undefined || header.isResponse) return undefined;
    if (header.opcode === OPCODE_NOTIFY && parts.notified !== undefined) {
      // Never remembered: the same octets from another address are another message.
      const noted = answerNotify(parts, octets, header, from);
      parts.onAnswer?.(noted.rcode, from.transport);
      return noted.octets;
    }
    if (header.opcode === OPCODE_QUERY && parts.transfers !== undefined && isForSecondaries(octets))
      return answerSecondary({ ...parts, transfers: parts.transfers }, octets, header, from);
    memory.follow();
    const quick = readQuickQuery(octets, from.transport);
    const key = quick?.key;
    let made = key === undefined ? undefined : memory.find(key);
    if (made === undefined) {
      made = makeAnswer(parts, octets, header, from);
      if (key !== undefined && made.rcode !== RCODE.SERVFAIL && made.octets.length <= UDP_BYTES_MAX)
        memory.add(key, made);
    }
    return send(parts, { made, octets, quick, from });
  };
}

/** Never remembered: the answer depends on who asks, and on the key that has signed. */
function answerSecondary(
  parts: AnswerParts & { readonly transfers: ZoneTransfers },
  octets: Uint8Array,
  header: DnsHeader,
  from: QueryOrigin,
): Uint8Array | Series | undefined {
  const edns = ourEdns(findEdns(octets));
  const opt = edns && optOctets(edns);
  const seal = openSeal(parts.transfers, { octets, peerAddress: from.peerAddress, opt });
  const limited = (octetsOf: () => Uint8Array, rcode: number): Uint8Array | undefined => {
    // Who is refused shows no cookie that is looked at, and is not told to come by TCP: to be refused there helps nobody.
    const isRefused = rcode !== RCODE.NOERROR;
    const verdict = isRefused ? rateOf(parts, { octets, rcode, zones: [] }, octets, from) : 'send';
    parts.onAnswer?.(verdict === 'send' ? rcode : 'drop', from.transport);
    return verdict === 'send' ? octetsOf() : undefined;
  };
  if ('refusal' in seal) return limited(() => seal.refusal, seal.refusal[3]! & 0x0f);
  const udpBytes = from.transport === 'udp' ? Math.min(from.sizeBytes, UDP_BYTES) : from.sizeBytes;
  const room = { ...from, sizeBytes: udpBytes - seal.bytes };
  const query = readQuery(octets);
  const given = query && transferOf(parts, query, { ...from, key: seal.key });
  if (query === undefined || given === undefined) {
    const made = makeAnswer(parts, octets, header, room);
    // Signed with a key of ours: a friend. Not signed: a query as any other, for which something here looked as if it were more.
    if (seal.key === undefined)
      return send(parts, { made, octets, quick: readQuickQuery(octets, from.transport), from });
    parts.onAnswer?.(made.rcode, from.transport);
    return seal.sign(made.octets);
  }
  if ('rcode' in given)
    return limited(() => seal.sign(encodeMessage(response(query, empty(given.rcode)), room.sizeBytes)), given.rcode);
  parts.onAnswer?.(RCODE.NOERROR, from.transport);
  const message = (answers: readonly ResourceRecord[], isFirst: boolean): Uint8Array => {
    const whole = response(query, { ...empty(RCODE.NOERROR), authoritative: true, answers });
    // RFC 5936 §2.2.1: the question stands in the first message; OPT likewise.
    return encodeMessage(isFirst ? whole : { ...whole, questions: [], edns: undefined }, TCP_BYTES - seal.bytes);
  };
  // Over UDP what is given is one record.
  if (from.transport === 'udp') return seal.sign(message([...given.records].flat(), true));
  return sealedSeries(given.records, message, seal);
}

function transferOf(
  parts: AnswerParts & { readonly transfers: ZoneTransfers },
  query: Query,
  from: QueryOrigin & { readonly key: string | undefined },
): TransferGiven | { readonly rcode: number } | undefined {
  if (isOtherVersion(query.edns) || query.question.class !== CLASS_IN) return undefined;
  try {
    return parts.transfers.give(query, from);
  } catch (error) {
    const failure = asFailure(error);
    parts.log.error('dns.failed', { name: query.question.name, error: failure.message, detail: failure.detail });
    return { rcode: DNS_FAILURE[failure.kind] };
  }
}

interface Sending {
  readonly made: MadeAnswer;
  /** Of the query. */
  readonly octets: Uint8Array;
  readonly quick: QuickQuery | undefined;
  readonly from: QueryOrigin;
}

/** The response as it goes out: with the query's id and a cookie, unless its client gets too many of its kind. */
function send(parts: AnswerParts, { made, octets, quick, from }: Sending): Uint8Array | undefined {
  const given = quick?.cookie;
  const cookie = given && isCookieLength(given.length) ? parts.cookies?.check(given, from.peerAddress) : undefined;
  const verdict = cookie?.isOurs === true ? 'send' : rateOf(parts, made, octets, from);
  parts.onAnswer?.(verdict === 'send' ? made.rcode : verdict, from.transport);
  if (verdict === 'drop' || (verdict === 'truncate' && quick === undefined)) return undefined;
  const whole = verdict === 'send' ? made.octets : truncated(made.octets, quick!);
  // A copy: it may be on its way while the next is made.
  const sent = Buffer.allocUnsafe(whole.length + (cookie === undefined ? 0 : OPTION_BYTES + COOKIE_BYTES));
  sent.set(whole);
  sent[0] = octets[0]!;
  sent[1] = octets[1]!;
  if (cookie !== undefined) appendOption(sent, whole.length, cookie.data);
  return sent;
}

function rateOf(parts: AnswerParts, made: MadeAnswer, octets: Uint8Array, from: QueryOrigin): RateVerdict {
  if (parts.rate === undefined || from.transport === 'tcp' || parts.isExempt?.(from.peerAddress) === true)
    return 'send';
  const zone = made.zones[0] ?? '';
  if (made.rcode !== RCODE.NOERROR) return parts.rate.take(from.peerAddress, 'error', zone);
  return parts.rate.take(from.peerAddress, 'answer', questionText(octets));
}

/** The question's name as octets in lower case: who spells it otherwise gets an equal answer. */
function questionText(octets: Uint8Array): string {
  const start = DNS_HEADER_BYTES;
  let end = start;
  while (end < octets.length && octets[end] !== 0) end += 1 + octets[end]!;
  return asciiLower(Buffer.from(octets.buffer, octets.byteOffset + start, Math.max(0, end - start)).toString('latin1'));
}

/** The header with TC, the question, and OPT where there is one: the last record, without options. */
function truncated(whole: Uint8Array, { questionEnd, hasEdns }: QuickQuery): Uint8Array {
  const opt = hasEdns ? whole.subarray(whole.length - OPT_BYTES) : new Uint8Array(0);
  const cut = new Uint8Array(questionEnd + opt.length);
  cut.set(whole.subarray(0, questionEnd));
  cut.set(opt, questionEnd);
  cut[2]! |= TRUNCATED;
  cut.fill(0, 6, DNS_HEADER_BYTES);
  cut[DNS_HEADER_BYTES - 1] = hasEdns ? 1 : 0;
  return cut;
}

/** Into the last record, an OPT without options that ends at `end`. */
function appendOption(message: Uint8Array, end: number, data: Uint8Array): void {
  const view = new DataView(message.buffer, message.byteOffset);
  view.setUint16(end - 2, OPTION_BYTES + data.length);
  view.setUint16(end, COOKIE_OPTION);
  view.setUint16(end + 2, data.length);
  message.set(data, end + OPTION_BYTES);
}

function makeAnswer(parts: AnswerParts, octets: Uint8Array, header: DnsHeader, from: QueryOrigin): MadeAnswer {
  if (header.opcode !== OPCODE_QUERY) return otherOpcode(header, octets);
  const query = readQuery(octets);
  if (query === undefined) return bareAnswer(header, RCODE.FORMERR, findEdns(octets));
  const { transport, sizeBytes } = from;
  const limit =
    (transport === 'udp' ? Math.min(sizeBytes, udpSize(query.edns)) : sizeBytes) - roomForCookie(query.edns);
  try {
    const result = resultOf(parts, query, transport);
    return { octets: encodeMessage(response(query, result), limit), rcode: result.rcode, zones: result.zones };
  } catch (error) {
    const failure = asFailure(error);
    parts.log.error('dns.failed', { name: query.question.name, error: failure.message, detail: failure.detail });
    const rcode = DNS_FAILURE[failure.kind];
    return { octets: encodeMessage(response(query, empty(rcode)), limit), rcode, zones: [] };
  }
}

function roomForCookie(edns: Edns | undefined): number {
  return edns?.options.some(({ code }) => code === COOKIE_OPTION) === true ? OPTION_BYTES + COOKIE_BYTES : 0;
}

/** RFC 1996 §3.7 §4.7: the response repeats the question, and nothing of what the sender says that the zone now holds. */
function answerNotify(parts: AnswerParts, octets: Uint8Array, header: DnsHeader, from: QueryOrigin): MadeAnswer {
  const query = readQuery(octets);
  if (query === undefined) return bareAnswer(header, RCODE.FORMERR, findEdns(octets));
  const rcode = notifyRcode(parts, query, from);
  const message = response(query, { ...empty(rcode), authoritative: rcode === RCODE.NOERROR });
  return { octets: encodeMessage(message, from.sizeBytes), rcode, zones: [] };
}

function notifyRcode(parts: AnswerParts, { question, edns }: Query, { peerAddress }: QueryOrigin): number {
  if (isOtherVersion(edns)) return RCODE.BADVERS;
  if (question.class !== CLASS_IN || question.type !== 'SOA') return RCODE.REFUSED;
  try {
    return parts.notified?.(asciiLower(question.name), peerAddress) === true ? RCODE.NOERROR : RCODE.REFUSED;
  } catch (error) {
    const failure = asFailure(error);
    parts.log.error('dns.failed', { name: question.name, error: failure.message, detail: failure.detail });
    return DNS_FAILURE[failure.kind];
  }
}

/** The other opcodes give the sections another meaning; their header alone is answered. */
function otherOpcode(header: DnsHeader, octets: Uint8Array): MadeAnswer {
  const edns = findEdns(octets);
  if (isOtherVersion(edns)) return bareAnswer(header, RCODE.BADVERS, edns);
  // Both are known, and from nobody who may.
  const isKnown = header.opcode === OPCODE_UPDATE || header.opcode === OPCODE_NOTIFY;
  return bareAnswer(header, isKnown ? RCODE.REFUSED : RCODE.NOTIMP, edns);
}

/** RFC 6891 §6.1.3: BADVERS comes before any other error of a query that can be read. */
function isOtherVersion(edns: Edns | undefined): boolean {
  return edns !== undefined && edns.version !== 0;
}

/** The refusal of a query that a transport cannot serve. RFC 1035 §4.1.1 */
export function refusal(query: Uint8Array): Uint8Array | undefined {
  const header = decodeDnsHeader(query);
  return header && bareAnswer(header, RCODE.REFUSED, findEdns(query)).octets;
}

type Query = DnsMessage & { readonly question: Question };

/** Undefined for what is no query with one question. */
function readQuery(octets: Uint8Array): Query | undefined {
  if (octets.length > QUERY_BYTES || recordsSaid(octets) > QUERY_RECORDS_MAX) return undefined;
  try {
    const query = decodeMessage(octets);
    const [question, second] = query.questions;
    if (question === undefined || second !== undefined) return undefined;
    return query.edns?.options.every(isWellFormed) === false ? undefined : { ...query, question };
  } catch (error) {
    if (error instanceof SyntaxFailure) return undefined;
    throw error;
  }
}

/** RFC 7873 §5.2.2 */
function isWellFormed({ code, data }: Edns['options'][number]): boolean {
  return code !== COOKIE_OPTION || isCookieLength(data.length);
}

/** How many records the header announces in the sections behind the question. */
function recordsSaid(octets: Uint8Array): number {
  let count = 0;
  for (let at = 6; at < 12; at += 2) count += (octets[at]! << 8) | octets[at + 1]!;
  return count;
}

/** Throws what the look-up throws. */
function resultOf(parts: AnswerParts, { question, edns }: Query, transport: Transport): Result {
  if (isOtherVersion(edns)) return empty(RCODE.BADVERS);
  if (question.class !== CLASS_IN) return empty(RCODE.REFUSED);
  // RFC 5936 §4.2: a zone has no way over UDP.
  if (question.type === 'AXFR') return empty(transport === 'udp' ? RCODE.FORMERR : RCODE.REFUSED);
  if (question.type === 'IXFR') return empty(RCODE.REFUSED);
  return resultOfQuestion(parts, question);
}

function resultOfQuestion(parts: AnswerParts, question: Question): Result {
  const name = asciiLower(question.name);
  const found = parts.lookUp(name, question.type);
  // Names come back in the case of the question, for clients that check it, and because they compress to a pointer.
  const inCase = (records: readonly ResourceRecord[]) => records.map((record) => recase(record, name, question.name));
  switch (found.result) {
    case 'outside':
      return empty(RCODE.REFUSED);
    case 'found':
      return {
        ...empty(RCODE.NOERROR),
        authoritative: true,
        answers: inCase(found.answers),
        authorities: inCase(found.authorities),
        additionals: inCase(found.additionals),
        zones: found.zones,
      };
    case 'referral':
      return {
        ...empty(RCODE.NOERROR),
        // RFC 1034 §4.3.2: what an alias of ours says is authoritative, what lies below a delegation is not.
        authoritative: found.answers.length > 0,
        answers: inCase(found.answers),
        authorities: inCase(found.authorities),
        additionals: inCase(found.additionals),
        zones: found.zones,
      };
    case 'no-data':
    case 'no-name': {
      const rcode = found.result === 'no-data' ? RCODE.NOERROR : RCODE.NXDOMAIN;
      return {
        ...empty(rcode),
        authoritative: true,
        answers: inCase(found.answers),
        authorities: inCase([found.soa]),
        zones: found.zones,
      };
    }
  }
}

function empty(rcode: number): Result {
  return { rcode, authoritative: false, answers: [], authorities: [], additionals: [], zones: [] };
}

/** The record with its owner in the case of the question, where the owner is the question's name or above it. */
function recase(record: ResourceRecord, lowerName: string, name: string): ResourceRecord {
  if (lowerName === name || !lowerName.endsWith(record.name)) return record;
  return { ...record, name: name.slice(name.length - record.name.length) };
}

function response(query: DnsMessage, result: Result): DnsMessage {
  return {
    ...result,
    id: query.id,
    isResponse: true,
    opcode: query.opcode,
    truncated: false,
    recursionDesired: query.recursionDesired,
    recursionAvailable: false,
    authenticData: false,
    checkingDisabled: false,
    questions: query.questions,
    edns: ourEdns(query.edns),
  };
}

/** RFC 6891 §6.1.1: a query with OPT gets OPT; RFC 3225 §3: its DO bit is copied. */
function ourEdns(theirs: Edns | undefined): Edns | undefined {
  return theirs && { udpSizeBytes: UDP_BYTES_MAX, version: 0, dnssecOk: theirs.dnssecOk, options: [] };
}

/** RFC 6891 §6.2.3: an offer below 512 means 512. */
function udpSize(edns: Edns | undefined): number {
  return edns === undefined ? UDP_BYTES : Math.min(UDP_BYTES_MAX, Math.max(UDP_BYTES, edns.udpSizeBytes));
}

/** A response to what cannot be read: the header alone, with an OPT record where the query has one (`theirs`). */
function bareAnswer(header: DnsHeader, rcode: number, theirs: Edns | undefined): MadeAnswer {
  const edns = ourEdns(theirs);
  const message = { ...header, ...empty(rcode), isResponse: true, truncated: false, questions: [], edns };
  const cleared = { recursionAvailable: false, authenticData: false, checkingDisabled: false };
  return { octets: encodeMessage({ ...message, ...cleared }), rcode, zones: [] };
}
