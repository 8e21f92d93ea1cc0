// Answers one DNS query: what is refused, what is looked up, how the response is put together. For UDP and TCP alike.
//
// In      the octets of one query, or of one NOTIFY
// Out     the octets of the response, or nothing where no response is allowed
// EDNS    the response to a query with an OPT record has one, errors included, as far as the query's OPT can be read
// Read-your-writes  the directory's revision is compared before each answer; what is remembered is of that revision only
// Limits  limits.ts; one question a query
// Never   answers a response (two servers would answer each other for ever), recurses, transfers a zone
// RFC 1035 §4.1 §7.3, RFC 1996 §3 §4, RFC 2308, RFC 4343, RFC 6891 §6.1.1 §6.1.3 §6.2.3 §7, RFC 8482, RFC 8906 §3

import { asciiLower } from '../../base/characters.ts';
import { SyntaxFailure } from '../../base/cursor.ts';
import { asFailure } from '../../base/failure.ts';
import type { Log } from '../../base/log.ts';
import { CLASS_IN, OPCODE_NOTIFY, OPCODE_QUERY, RCODE, type RecordType } from '../../wire/dns/codes.ts';
import {
  type DnsHeader,
  type DnsMessage,
  decodeDnsHeader,
  decodeMessage,
  type Edns,
  encodeMessage,
  findEdns,
  type Question,
} from '../../wire/dns/message.ts';
import type { ResourceRecord } from '../../wire/dns/rdata.ts';
import type { ZoneAnswer } from '../../zones/records.ts';
import { DNS_FAILURE } from './errors.ts';
import {
  QUERY_BYTES,
  QUERY_RECORDS_MAX,
  REMEMBERED_MAX,
  REMEMBERED_QUERY_BYTES,
  UDP_BYTES,
  UDP_BYTES_MAX,
} from './limits.ts';

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
 * is sent (RFC 5936 §2.2); undefined for what gets no response: too short for a header, or itself a response. Never throws.
 */
export type Answer = (query: Uint8Array, from: QueryOrigin) => Uint8Array | Iterable<Uint8Array> | undefined;

export interface AnswerParts {
  /** `name` in lower case; the answer is of one state of the database. May throw a Failure. */
  readonly lookUp: (name: string, type: RecordType) => ZoneAnswer;
  /** The directory's revision that all writes acknowledged so far are in. */
  readonly revision: () => number;
  readonly log: Log;
  /** NOTIFY: `zone` (lower case) has changed, says this address. False when it has no say in it. May throw a Failure. */
  readonly notified?: (zone: string, peerAddress: string) => boolean;
  /** For the metrics: called for each response, with its rcode. */
  readonly onAnswer?: (rcode: number, transport: Transport) => void;
}

/** Sections and flags of a response beside what it repeats from its query. */
interface Result {
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
}

export function createAnswer(parts: AnswerParts): Answer {
  const remembered = new RememberedAnswers(parts.revision);
  return (octets, from) => {
    const header = decodeDnsHeader(octets);
    if (header === undefined || header.isResponse) return undefined;
    if (header.opcode === OPCODE_NOTIFY && parts.notified !== undefined) {
      // Never remembered: the same octets from another address are another message.
      const noted = answerNotify(parts, octets, header, from);
      parts.onAnswer?.(noted.rcode, from.transport);
      return noted.octets;
    }
    const key = remembered.key(octets, from);
    let made = key === undefined ? undefined : remembered.find(key, header.id);
    if (made === undefined) {
      made = makeAnswer(parts, octets, header, from);
      if (key !== undefined && made.rcode !== RCODE.SERVFAIL) remembered.add(key, made);
    }
    parts.onAnswer?.(made.rcode, from.transport);
    return made.octets;
  };
}

interface MadeAnswer {
  readonly octets: Uint8Array;
  readonly rcode: number;
}

function makeAnswer(
  parts: AnswerParts,
  octets: Uint8Array,
  header: DnsHeader,
  { transport, sizeBytes }: QueryOrigin,
): MadeAnswer {
  if (header.opcode !== OPCODE_QUERY) return otherOpcode(header, octets);
  const query = readQuery(octets);
  if (query === undefined) return bareAnswer(header, RCODE.FORMERR, findEdns(octets));
  const limit = transport === 'udp' ? Math.min(sizeBytes, udpSize(query.edns)) : sizeBytes;
  try {
    const result = resultOf(parts, query);
    return { octets: encodeMessage(response(query, result), limit), rcode: result.rcode };
  } catch (error) {
    const failure = asFailure(error);
    parts.log.error('dns.failed', { name: query.question.name, error: failure.message, detail: failure.detail });
    const rcode = DNS_FAILURE[failure.kind];
    return { octets: encodeMessage(response(query, empty(rcode)), limit), rcode };
  }
}

/** RFC 1996 §3.7 §4.7: the response repeats the question, and nothing of what the sender says that the zone now holds. */
function answerNotify(parts: AnswerParts, octets: Uint8Array, header: DnsHeader, from: QueryOrigin): MadeAnswer {
  const query = readQuery(octets);
  if (query === undefined) return bareAnswer(header, RCODE.FORMERR, findEdns(octets));
  const rcode = notifyRcode(parts, query, from);
  const message = response(query, { ...empty(rcode), authoritative: rcode === RCODE.NOERROR });
  return { octets: encodeMessage(message, from.sizeBytes), rcode };
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
  return bareAnswer(header, isOtherVersion(edns) ? RCODE.BADVERS : RCODE.NOTIMP, edns);
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
    return question === undefined || second !== undefined ? undefined : { ...query, question };
  } catch (error) {
    if (error instanceof SyntaxFailure) return undefined;
    throw error;
  }
}

/** How many records the header announces in the sections behind the question. */
function recordsSaid(octets: Uint8Array): number {
  let count = 0;
  for (let at = 6; at < 12; at += 2) count += (octets[at]! << 8) | octets[at + 1]!;
  return count;
}

/** Throws what the look-up throws. */
function resultOf(parts: AnswerParts, { question, edns }: Query): Result {
  if (isOtherVersion(edns)) return empty(RCODE.BADVERS);
  if (question.class !== CLASS_IN || question.type === 'AXFR' || question.type === 'IXFR') return empty(RCODE.REFUSED);
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
      };
    case 'referral':
      return {
        ...empty(RCODE.NOERROR),
        // RFC 1034 §4.3.2: what an alias of ours says is authoritative, what lies below a delegation is not.
        authoritative: found.answers.length > 0,
        answers: inCase(found.answers),
        authorities: inCase(found.authorities),
        additionals: inCase(found.additionals),
      };
    case 'no-data':
    case 'no-name': {
      const rcode = found.result === 'no-data' ? RCODE.NOERROR : RCODE.NXDOMAIN;
      return { ...empty(rcode), authoritative: true, answers: inCase(found.answers), authorities: inCase([found.soa]) };
    }
  }
}

function empty(rcode: number): Result {
  return { rcode, authoritative: false, answers: [], authorities: [], additionals: [] };
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
  return { octets: encodeMessage({ ...message, ...cleared }), rcode };
}

/** Answers by all octets of the query but its id, of one revision. The same query has the same answer until the next. */
class RememberedAnswers {
  readonly #answers = new Map<string, MadeAnswer>();
  readonly #revision: () => number;
  #ofRevision: number | undefined;

  constructor(revision: () => number) {
    this.#revision = revision;
  }

  /**
   * The key of this query, undefined for one too large to remember. Compares the revision: what is remembered is dropped
   * when it differs, and what is added under this key was read after the comparison.
   */
  key(query: Uint8Array, { transport, sizeBytes }: QueryOrigin): string | undefined {
    const revision = this.#revision();
    if (revision !== this.#ofRevision) {
      this.#answers.clear();
      this.#ofRevision = revision;
    }
    if (query.length > REMEMBERED_QUERY_BYTES) return undefined;
    const octets = Buffer.from(query.buffer, query.byteOffset + 2, query.length - 2);
    return `${transport} ${sizeBytes} ${octets.toString('latin1')}`;
  }

  /** A copy with this id: it may be on its way while the next is made. */
  find(key: string, id: number): MadeAnswer | undefined {
    const known = this.#answers.get(key);
    if (known === undefined) return undefined;
    const octets = known.octets.slice();
    octets[0] = id >>> 8;
    octets[1] = id;
    return { octets, rcode: known.rcode };
  }

  add(key: string, { octets, rcode }: MadeAnswer): void {
    if (octets.length > UDP_BYTES_MAX) return;
    if (this.#answers.size >= REMEMBERED_MAX) this.#answers.clear();
    this.#answers.set(key, { octets: octets.slice(), rcode });
  }
}
