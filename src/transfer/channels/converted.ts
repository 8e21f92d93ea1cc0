// A message as a host can take it that lacks 8BITMIME or SMTPUTF8: bytes of their own in place of the stored ones.
//
// In      a message that is read piece by piece, and what it must become
// Out     its bytes, read in the same way; or the outcome for all its recipients
// Limits  CONVERTED_MAX a message, CONVERTED_HELD for all that are on their way: what is larger waits
// RFC 6152 §3, RFC 6531 §3.6, RFC 3463 §3.7

import { CONVERTED_HELD, CONVERTED_MAX } from '../../base/limits.ts';
import { toAscii, toSevenBit } from '../../message/convert.ts';
import { type Outcome, outcome } from '../outcome.ts';

export type Need = 'seven-bit' | 'ascii' | 'both';

export interface MailBytes {
  readonly sizeBytes: number;
  /** Bytes from an offset on, at most a piece. */
  readonly read: (offset: number) => Promise<Buffer>;
  /** Our signatures are of the bytes as they were: gives them with new ones. */
  readonly signAnew?: (bytes: Buffer) => Promise<Buffer>;
}

export type Converted = (MailBytes & { release(): void }) | { readonly refused: Outcome };

/** Bytes that are sent in one write. */
const PIECE_BYTES = 256 * 1024;

/** Bytes of messages that are being sent converted. */
let held = 0;

/** `remote` names the host in outcomes. The caller releases what it gets. */
export async function converted(
  need: Need,
  { sizeBytes, read, signAnew }: MailBytes,
  remote: string,
): Promise<Converted> {
  if (sizeBytes > CONVERTED_MAX)
    return {
      refused: outcome('deferred', '4.3.4', `${remote} takes it converted alone, and it is too large for that`),
    };
  if (held + sizeBytes > CONVERTED_HELD)
    return { refused: outcome('deferred', '4.3.1', 'Other messages are being converted') };
  held += sizeBytes;
  let bytes: Buffer | undefined;
  try {
    const pieces: Buffer[] = [];
    for (let offset = 0; offset < sizeBytes; ) {
      const piece = await read(offset);
      pieces.push(piece);
      offset += piece.length;
    }
    const unsigned = convert(need, Buffer.concat(pieces), remote);
    if (!Buffer.isBuffer(unsigned)) return { refused: unsigned };
    const made = signAnew === undefined ? unsigned : await signAnew(unsigned);
    bytes = made;
    return {
      sizeBytes: made.length,
      read: async (offset) => made.subarray(offset, offset + PIECE_BYTES),
      release: () => (held -= sizeBytes),
    };
  } finally {
    if (bytes === undefined) held -= sizeBytes;
  }
}

function convert(need: Need, bytes: Buffer, remote: string): Buffer | Outcome {
  const ascii = need === 'seven-bit' ? bytes : toAscii(bytes);
  if (ascii === undefined)
    return outcome('failed', '5.6.7', `${remote} takes no addresses beyond ASCII, and the header has some`);
  if (need === 'ascii') return ascii;
  const sevenBit = toSevenBit(ascii);
  if (Buffer.isBuffer(sevenBit)) return sevenBit;
  const why = sevenBit === 'signed' ? 'its 8-bit text is signed or encrypted' : 'its 8-bit text cannot be converted';
  return outcome('failed', '5.6.3', `${remote} takes no 8-bit text, and ${why}`);
}
