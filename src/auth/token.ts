// A token: a password that a program was given, for some services and some time.
//
// Form    `wp_` and 160 random bits in base32 (RFC 4648 §6) in lower case: 35 characters
// Kept    its SHA-256 alone: of so many random bits a plain hash tells nothing, and costs a login nothing
// Valid   at its entry, from its creation until it expires or is removed, for its scopes

import { createHash, randomBytes } from 'node:crypto';
import { base32 } from '../base/base32.ts';

const PREFIX = Buffer.from('wp_');
const BYTES = 20;
const LENGTH = PREFIX.length + (BYTES * 8) / 5;

export function newToken(): string {
  return `${PREFIX}${base32(randomBytes(BYTES))}`;
}

/** Whether these octets can be a token: a password of this form is looked up as one. */
export function isToken(octets: Uint8Array): boolean {
  if (octets.length !== LENGTH) return false;
  for (let i = 0; i < PREFIX.length; i++) if (octets[i] !== PREFIX[i]) return false;
  for (let i = PREFIX.length; i < LENGTH; i++) {
    const c = octets[i]!;
    if (!((c >= 0x61 && c <= 0x7a) || (c >= 0x32 && c <= 0x37))) return false;
  }
  return true;
}

/** Under which it is kept and found. */
export function hashOfToken(token: string | Uint8Array): string {
  return createHash('sha256').update(token).digest('hex');
}
