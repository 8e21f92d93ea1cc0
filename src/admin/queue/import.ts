// queue import: a message in the text form, page by page.

import { z } from 'zod';
import { authorOf } from '../../directory/caller.ts';
import type { RoutingCache } from '../../routing/cache.ts';
import { type ImportParts, Imports } from '../../transfer/import.ts';
import type { PlacedRecipient } from '../../transfer/place.ts';
import { adminOperation } from '../operation.ts';
import type { QueueParts } from './selected.ts';

export interface ImportingParts extends QueueParts {
  readonly routing: RoutingCache;
  /** Messages that this thread takes itself. */
  readonly incoming: Pick<ImportParts, 'intakes' | 'nextId' | 'submit'>;
  readonly messageBytesMax: number;
}

/** The keys of the JSON: where the next page goes, or the new queue id and what each recipient got. */
export type ImportedPage =
  | { readonly token: string }
  | {
      readonly id: string;
      readonly recipients: readonly {
        readonly address: string;
        readonly how: PlacedRecipient['how'];
        readonly code: number;
        readonly enhanced: string;
        readonly text: string;
      }[];
    };

const PAGE_CHARACTERS = 8 * 1024 * 1024;

export const queueImport = (parts: ImportingParts) => {
  const { reader, routing, clock, log, incoming, messageBytesMax: bytesMax } = parts;
  const imports = new Imports({ reader, routing, clock, bytesMax, ...incoming });
  return adminOperation(
    'queue.import',
    /** `token`: what the page before has given; `isLf`: the message has no CRLF, and each LF becomes one. */
    z.strictObject({
      token: z.string().max(100).optional(),
      base64: z.base64().max(PAGE_CHARACTERS),
      isLast: z.boolean(),
      isLf: z.boolean().optional(),
    }),
    async ({ token, base64, isLast, isLf = false }, caller, peer): Promise<ImportedPage> => {
      const taken = await imports.take({ token, bytes: Buffer.from(base64, 'base64'), isLast, isLf });
      if ('token' in taken) return taken;
      const { id, results } = taken.submitted;
      log.info('transfer.import', { queue: id, recipients: results.length, by: authorOf(caller), peer });
      return {
        id,
        recipients: results.map(({ recipient, reply, how }) => ({
          address: recipient.original ?? recipient.address.localPart,
          how,
          code: reply.code,
          enhanced: reply.enhanced,
          text: reply.text,
        })),
      };
    },
  );
};
