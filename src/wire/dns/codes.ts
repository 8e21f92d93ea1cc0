// The numbers of DNS and their mnemonics: record types, classes, opcodes, response codes.
//
// A type is its mnemonic where the codec or the server knows it, else the generic TYPEn.
// RFC 1035 §3.2 §4.1.1, RFC 1996 §3, RFC 2136 §1.3 §2.2, RFC 2782, RFC 3596 §2.1, RFC 3597 §5, RFC 6698 §2, RFC 6891 §6.1.3 §9,
// RFC 7873 §8, RFC 8659 §4.1, RFC 8945 §3

import { SyntaxFailure } from '../../base/cursor.ts';

/** Types with a value form of their own in this codec, and the questions that a server must know by name. */
const TYPE_CODES = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  TLSA: 52,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
  CAA: 257,
} as const;

/** RFC 3597 §5: a type without a mnemonic here is `TYPE` and its number. */
export type RecordType = keyof typeof TYPE_CODES | `TYPE${number}`;

const typeNames = new Map<number, RecordType>(
  Object.entries(TYPE_CODES).map(([name, code]) => [code, name as RecordType]),
);
const typeCodes = new Map<string, number>(Object.entries(TYPE_CODES));

export function typeName(code: number): RecordType {
  return typeNames.get(code) ?? `TYPE${code}`;
}

/** Throws a SyntaxFailure for a text that is no type. */
export function typeCode(name: RecordType): number {
  const known = typeCodes.get(name);
  if (known !== undefined) return known;
  const code = name.startsWith('TYPE') ? Number(name.slice(4)) : Number.NaN;
  if (!Number.isInteger(code) || code < 0 || code > 0xffff) throw new SyntaxFailure('a record type', 0);
  return code;
}

export const CLASS_IN = 1;
/** RFC 2136 §1.3: no record; in an update, a record that goes. */
export const CLASS_NONE = 254;
export const CLASS_ANY = 255;

export const OPCODE_QUERY = 0;
/** RFC 1996 §3 */
export const OPCODE_NOTIFY = 4;
/** RFC 2136 §1.3 */
export const OPCODE_UPDATE = 5;

/** RFC 1035 §4.1.1, RFC 2136 §2.2, RFC 6891 §9, RFC 7873 §8; those above 15 need an OPT record. */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  BADVERS: 16,
  BADCOOKIE: 23,
} as const;

const rcodeNames = new Map<number, string>(Object.entries(RCODE).map(([name, code]) => [code, name]));

export function rcodeName(code: number): string {
  return rcodeNames.get(code) ?? `rcode ${code}`;
}

/** What the error field of a TSIG record says; the numbers are those of response codes, 16 has two meanings. RFC 8945 §3 */
export const TSIG_ERROR = { BADSIG: 16, BADKEY: 17, BADTIME: 18, BADTRUNC: 22 } as const;
