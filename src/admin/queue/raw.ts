// queue show --raw: a row with its message in the text form (transfer/text-form.ts), piece by piece.

import { z } from 'zod';
import { type RawParts, rawPiece } from '../../transfer/raw.ts';
import { adminOperation } from '../operation.ts';
import { rowsOfOneSender } from './selected.ts';

/** The keys of the JSON. */
export interface QueueRawPiece {
  readonly base64: string;
  /** Where the next piece begins; null behind the last one. */
  readonly at: number | null;
}

export const queueRaw = (parts: RawParts) =>
  adminOperation(
    'queue.raw',
    /** `at`: what the piece before has given; absent for the first one. */
    z.strictObject({ id: z.string().min(1).max(20), at: z.number().int().min(0).optional() }),
    async ({ id, at }): Promise<QueueRawPiece> => {
      const piece = await rawPiece(parts, rowsOfOneSender(parts.reader, id), at);
      return { base64: piece.bytes.toString('base64'), at: piece.at ?? null };
    },
  );
