// What tells a query's answer from that of another, read from its octets without decoding them: nearly all queries are one
// question, perhaps with OPT.
//
// In      the octets of one query
// Out     a key, the cookie that came along, where the question ends; undefined for any other form, which is decoded
// Never   judges: what it reads may still be refused. Options of OPT but the cookie change no answer and are in no key
// RFC 1035 §4.1.2, RFC 6891 §6.1

import { COOKIE_OPTION } from './cookies.ts';
import { QUERY_BYTES, UDP_BYTES, UDP_BYTES_MAX } from './limits.ts';

export interface QuickQuery {
  readonly key: string;
  readonly questionEnd: number;
  readonly hasEdns: boolean;
  /** The data of the option as it came, of whatever length. */
  readonly cookie: Uint8Array | undefined;
}

const HEADER_BYTES = 12;
const NAME_BYTES_MAX = 255;
const LABEL_BYTES_MAX = 63;
/** Owner, type, class, TTL and length of OPT. */
const OPT_BYTES = 11;
const OPT = 41;
const DNSSEC_OK = 0x80;
const RECURSION_DESIRED = 0x01;
/** All of the second flags' octet that a query may set: AD and CD, which change no answer here. */
const QUERY_FLAGS = 0x30;

/** `transport`: its answers are others, too. */
export function readQuickQuery(octets: Uint8Array, transport: 'udp' | 'tcp'): QuickQuery | undefined {
  if (octets.length > QUERY_BYTES) return undefined;
  // QR, opcode, AA and TC; RA, Z and the rcode.
  if ((octets[2]! & ~RECURSION_DESIRED) !== 0 || (octets[3]! & ~QUERY_FLAGS) !== 0) return undefined;
  const records = octets[11]!;
  if (octets[4] !== 0 || octets[5] !== 1 || octets[10] !== 0 || records > 1) return undefined;
  for (let at = 6; at < 10; at++) if (octets[at] !== 0) return undefined;
  const questionEnd = endOfQuestion(octets);
  if (questionEnd === undefined) return undefined;
  const edns: QuickEdns | undefined = records === 0 ? { ...NO_EDNS, end: questionEnd } : readOpt(octets, questionEnd);
  if (edns === undefined || edns.end !== octets.length) return undefined;
  const { hasEdns, sizeBytes, cookie } = edns;
  const bits = (octets[2]! & RECURSION_DESIRED) | edns.flags | (hasEdns ? 2 : 0) | (transport === 'tcp' ? 4 : 0);
  return {
    key: keyOf(octets, questionEnd, [bits, sizeBytes >> 8, sizeBytes, cookieForm(cookie)]),
    questionEnd,
    hasEdns,
    cookie,
  };
}

/** Longer than any that is well-formed. */
const COOKIE_FORM_MAX = 100;

const WRITTEN = Buffer.alloc(NAME_BYTES_MAX + 32);

/** Written as octets first: a text that is put together from others is slow to find. */
function keyOf(octets: Uint8Array, questionEnd: number, more: readonly number[]): string {
  let length = 0;
  for (let at = HEADER_BYTES; at < questionEnd; at++) WRITTEN[length++] = octets[at]!;
  for (const octet of more) WRITTEN[length++] = octet;
  return WRITTEN.toString('latin1', 0, length);
}

/** No cookie, one of a length that RFC 7873 knows, another. */
function cookieForm(cookie: Uint8Array | undefined): number {
  return cookie === undefined ? 0 : 1 + Math.min(cookie.length, COOKIE_FORM_MAX);
}

function endOfQuestion(octets: Uint8Array): number | undefined {
  let at = HEADER_BYTES;
  for (let length = octets[at]; length !== 0; length = octets[at]) {
    if (length === undefined || length > LABEL_BYTES_MAX) return undefined;
    at += 1 + length;
    if (at - HEADER_BYTES > NAME_BYTES_MAX) return undefined;
  }
  const end = at + 1 + 4;
  return end > octets.length ? undefined : end;
}

interface QuickEdns {
  readonly hasEdns: boolean;
  readonly end: number;
  readonly flags: number;
  readonly sizeBytes: number;
  readonly cookie: Uint8Array | undefined;
}

const NO_EDNS = { hasEdns: false, flags: 0, sizeBytes: UDP_BYTES, cookie: undefined };

function readOpt(octets: Uint8Array, start: number): QuickEdns | undefined {
  if (start + OPT_BYTES > octets.length || octets[start] !== 0) return undefined;
  const u16 = (at: number): number => (octets[at]! << 8) | octets[at + 1]!;
  if (u16(start + 1) !== OPT) return undefined;
  // The upper bits of the rcode, the version: not zero is another case.
  if (octets[start + 5] !== 0 || octets[start + 6] !== 0) return undefined;
  const end = start + OPT_BYTES + u16(start + 9);
  if (end > octets.length) return undefined;
  let cookie: Uint8Array | undefined;
  for (let at = start + OPT_BYTES; at < end; ) {
    const next = at + 4 + u16(at + 2);
    if (at + 4 > end || next > end) return undefined;
    if (u16(at) === COOKIE_OPTION) {
      // Two of them: the second may be malformed, which is another answer.
      if (cookie !== undefined) return undefined;
      cookie = octets.subarray(at + 4, next);
    }
    at = next;
  }
  const sizeBytes = Math.min(UDP_BYTES_MAX, Math.max(UDP_BYTES, u16(start + 3)));
  return { hasEdns: true, end, flags: octets[start + 7]! & DNSSEC_OK, sizeBytes, cookie };
}
