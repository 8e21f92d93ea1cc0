// UIDBATCHES as a value: how many messages a batch has, and which batches are asked for. draft-ietf-mailmaint-imap-uidbatches-22 §3.1

import type { ImapCursor } from '../grammar.ts';

export interface UidBatchesCommand {
  readonly name: 'UIDBATCHES';
  readonly size: number;
  /** Counted from 1, as the client wrote them. Undefined: all. */
  readonly batches: { readonly first: number; readonly last: number } | undefined;
}

export function parseUidBatches(cursor: ImapCursor): UidBatchesCommand {
  cursor.space();
  const size = cursor.nzNumber();
  let batches: UidBatchesCommand['batches'];
  if (cursor.trySpace()) {
    const first = cursor.nzNumber();
    cursor.take(':');
    batches = { first, last: cursor.nzNumber() };
  }
  cursor.end();
  return { name: 'UIDBATCHES', size, batches };
}
