// The numbers of DNS and their mnemonics: record types, classes, opcodes, response codes.
//
// A type is its mnemonic where the codec or the server knows it, else the generic TYPEn.
// RFC 1035 §3.2 §4.1.1, RFC 1996 §3, RFC 2136 §2.2, RFC 3596 §2.1, RFC 3597 §5, RFC 6891 §6.1.3 §9

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
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
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

export const OPCODE_QUERY = 0;
/** RFC 1996 §3 */
export const OPCODE_NOTIFY = 4;

/** RFC 1035 §4.1.1, RFC 6891 §9; those above 15 need an OPT record. */
export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  NOTAUTH: 9,
  BADVERS: 16,
} as const;
