// Cancel: an operation of the same connection is to end, and to say so. RFC 3909 §2

import { BerReader, BerWriter, SEQUENCE } from '../ber.ts';

export const CANCEL = '1.3.6.1.1.8';

/** Its value: the message ID of the operation. */
export const cancelRequest = {
  /** Throws a SyntaxFailure. */
  decode(octets: Uint8Array): number {
    const reader = new BerReader(Buffer.from(octets));
    const sequence = reader.enter(SEQUENCE);
    reader.end();
    const messageId = sequence.unsigned();
    sequence.end();
    return messageId;
  },
  encode(messageId: number): Uint8Array {
    const writer = new BerWriter();
    writer.constructed(SEQUENCE, () => writer.integer(messageId));
    return writer.take();
  },
};
