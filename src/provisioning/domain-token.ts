// How who has a domain says that a policy may take it: the record that a policy's token gives for this one name.
//
// In      the token (waypostMatchToken), a domain
// Out     the value of the TXT record at `_waypost.NAME`: 160 bits of HMAC-SHA-256 in base32, so that one name's record serves no
//         other name, and no record tells the token
// RFC 2104, RFC 4648 §6

import { createHmac, timingSafeEqual } from 'node:crypto';
import { base32 } from '../base/base32.ts';
import { asciiLower } from '../base/characters.ts';

const TOKEN_BYTES = 20;

export function domainTokenName(domain: string): string {
  return `_waypost.${domain}`;
}

export function domainTokenText(token: string, domain: string): string {
  const digest = createHmac('sha256', token).update(asciiLower(domain)).digest();
  return `waypost-domain=${base32(digest.subarray(0, TOKEN_BYTES))}`;
}

/** Whether this is the text of that record, in any case: who copies it may write it so. */
export function isDomainToken(text: string, token: string, domain: string): boolean {
  const wanted = Buffer.from(domainTokenText(token, domain));
  const given = Buffer.from(asciiLower(text.trim()));
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}
