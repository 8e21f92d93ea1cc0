// A body whose transfer encoding is undone while its bytes come, whatever their number.
//
// In      octets of the encoded body piece by piece; any octets at all, nothing here throws
// Out     the same octets that decoding all at once gives
// Limits  of a piece at most its last line is held until the next one comes, of a longer line HELD_BYTES
// RFC 2045 §6

import { Base64Decoder } from './base64.ts';
import { decodeQuotedPrintable } from './quoted-printable.ts';

export interface TransferDecoder {
  push(octets: Buffer): Buffer;
  /** What was held. */
  end(): Buffer;
}

/** Undefined for an encoding that nobody knows; `encoding` in lower case. */
export function openTransferDecoder(encoding: string): TransferDecoder | undefined {
  switch (encoding) {
    case 'base64':
      return new Base64Decoder();
    case 'quoted-printable':
      return new QuotedPrintableDecoder();
    case '7bit':
    case '8bit':
    case 'binary':
      return { push: (octets) => octets, end: () => NOTHING };
    default:
      return undefined;
  }
}

const NOTHING = Buffer.alloc(0);
/** More than a code or a soft break with its white space. RFC 2045 §6.7 */
const HELD_BYTES = 80;

class QuotedPrintableDecoder implements TransferDecoder {
  #held: Buffer = NOTHING;

  push(octets: Buffer): Buffer {
    const bytes = this.#held.length === 0 ? octets : Buffer.concat([this.#held, octets]);
    const end = this.#cut(bytes);
    // A copy: the caller's piece must not be kept for a line of it.
    this.#held = Buffer.from(bytes.subarray(end));
    return decodeQuotedPrintable(bytes.subarray(0, end));
  }

  /** Before the last `=` that may not be whole yet. */
  #cut(bytes: Buffer): number {
    const from = Math.max(0, bytes.length - HELD_BYTES);
    const lineFeed = bytes.lastIndexOf(0x0a);
    const equals = bytes.indexOf(0x3d, Math.max(from, lineFeed + 1));
    return equals < 0 ? bytes.length : equals;
  }

  end(): Buffer {
    const rest = decodeQuotedPrintable(this.#held);
    this.#held = NOTHING;
    return rest;
  }
}
