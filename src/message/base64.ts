// Base64 as mail has it: decoded in runs, with whatever stands between the digits; encoded in lines.
//
// In      octets piece by piece; any octets at all, nothing here throws
// RFC 2045 §6.8

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** Value of a digit by its char code; 64 for the padding, 255 for what is none. */
export const BASE64_VALUE = new Uint8Array(256).fill(255);
for (let value = 0; value < 64; value++) BASE64_VALUE[BASE64.charCodeAt(value)] = value;
BASE64_VALUE[0x3d] = 64;

/** All that is no digit is left out, RFC 2045 §6.8. Padding ends a run: bodies that were strung together are all decoded. */
export class Base64Decoder {
  /** Digits that are not yet three octets: how many, and their bits. */
  #count = 0;
  #held = 0;

  push(digits: Uint8Array): Buffer {
    const decoded = Buffer.allocUnsafe(((digits.length + this.#count) * 3) >> 2);
    let length = 0;
    let count = this.#count;
    let held = this.#held;
    for (let at = 0; at < digits.length; at++) {
      const value = BASE64_VALUE[digits[at]!]!;
      if (value > 64) continue;
      if (value === 64) {
        if (count > 1) decoded[length++] = (held >> (count === 2 ? 4 : 10)) & 255;
        if (count > 2) decoded[length++] = (held >> 2) & 255;
        count = 0;
        continue;
      }
      held = (held << 6) | value;
      if (++count < 4) continue;
      decoded[length++] = (held >> 16) & 255;
      decoded[length++] = (held >> 8) & 255;
      decoded[length++] = held & 255;
      count = 0;
    }
    this.#count = count;
    this.#held = held & 0xff_ffff;
    return decoded.subarray(0, length);
  }

  /** The last run without its padding. */
  end(): Buffer {
    return this.#count > 1 ? this.push(PADDING) : PADDING.subarray(0, 0);
  }
}

const PADDING = Buffer.from('=');

/** Octets that make a line of 76 digits. RFC 2045 §6.8 */
const LINE_OCTETS = 57;

/** Lines of 76 digits, each with its CRLF; empty for no octets. */
export function encodeBase64(octets: Buffer): Buffer {
  const lines = Math.ceil(octets.length / LINE_OCTETS);
  const encoded = Buffer.allocUnsafe(Math.ceil(octets.length / 3) * 4 + 2 * lines);
  let length = 0;
  for (let at = 0; at < octets.length; at += LINE_OCTETS) {
    length += encoded.write(octets.toString('base64', at, at + LINE_OCTETS), length, 'latin1');
    encoded[length++] = 0x0d;
    encoded[length++] = 0x0a;
  }
  return encoded;
}
