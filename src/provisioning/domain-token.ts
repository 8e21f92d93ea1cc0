// How who has a domain says that a policy may take it: the record that a policy's token gives for this one name.
//
// In      the token (waypostMatchToken), a domain
// Out     the value of the TXT record at `_waypost.NAME`: 160 bits of HMAC-SHA-256 in base32, so that one name's record serves no
//         other name, and no record tells the token
// RFC 2104, RFC 4648 §6

import { createHmac } from 'node:crypto';
import { asciiLower } from '../base/characters.ts';

const TOKEN_BYTES = 20;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

export function domainTokenName(domain: string): string {
  return `_waypost.${domain}`;
}

export function domainTokenText(token: string, domain: string): string {
  const digest = createHmac('sha256', token).update(asciiLower(domain)).digest();
  return `waypost-domain=${base32(digest.subarray(0, TOKEN_BYTES))}`;
}

/** Of a multiple of five bytes: nothing is left to pad. */
function base32(bytes: Buffer): string {
  let text = '';
  let [held, bits] = [0, 0];
  for (const byte of bytes) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(held >> (bits - 5)) & 31];
    held &= 31;
  }
  return text;
}
