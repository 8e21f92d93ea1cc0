// Octets as text that people can copy: base32 in lower case. RFC 4648 §6

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** Without padding: the bits of `octets` are a multiple of five. */
export function base32(octets: Uint8Array): string {
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
