// LDAPResult: the end of every operation but unbind and abandon.
//
// RFC 4511 §4.1.9 §4.1.10

import { type BerReader, type BerWriter, contextConstructed, ENUMERATED } from './ber.ts';
import { resultCodes } from './result-codes.ts';

export interface LdapResult {
  /** A code of result-codes.ts, or one that a later standard has added. */
  readonly resultCode: number;
  readonly matchedDn: string;
  readonly diagnosticMessage: string;
  readonly referral: readonly string[];
}

export function result(code: keyof typeof resultCodes, diagnosticMessage = '', matchedDn = ''): LdapResult {
  return { resultCode: resultCodes[code], matchedDn, diagnosticMessage, referral: [] };
}

const REFERRAL = contextConstructed(3);

/** The components of the result; the caller has entered the sequence that they begin. */
export function decodeResult(reader: BerReader): LdapResult {
  const resultCode = reader.unsigned(ENUMERATED);
  const matchedDn = reader.text();
  const diagnosticMessage = reader.text();
  const uris = reader.tryEnter(REFERRAL);
  const referral: string[] = [];
  while (uris !== undefined && !uris.atEnd) referral.push(uris.text());
  return { resultCode, matchedDn, diagnosticMessage, referral };
}

export function encodeResult(writer: BerWriter, value: LdapResult): void {
  writer.integer(value.resultCode, ENUMERATED);
  writer.octets(value.matchedDn);
  writer.octets(value.diagnosticMessage);
  if (value.referral.length === 0) return;
  writer.constructed(REFERRAL, () => {
    for (const uri of value.referral) writer.octets(uri);
  });
}
