// A token: a password that a program was given, for some services and some time.
//
// Form    `wp_` and 160 random bits in base32 (RFC 4648 §6) in lower case: 35 characters
// Kept    its SHA-256 alone: of so many random bits a plain hash tells nothing, and costs a login nothing
// Valid   at its entry, from its creation until it expires or is removed, for its scopes

import { createHash, randomBytes } from 'node:crypto';

const PREFIX = Buffer.from('wp_');
const BYTES = 20;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
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

/** RFC 4648 §6, without padding: the bits of `octets` are a multiple of five. */
function base32(octets: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const octet of octets) {
    held = (held << 8) | octet;
    bits += 8;
    for (; bits >= 5; bits -= 5) text += ALPHABET[(held >> (bits - 5)) & 31];
    held &= (1 << bits) - 1;
  }
  return text;
}
