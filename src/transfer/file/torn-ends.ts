// Ends of mbox files that a run before has left torn: cut by whoever comes to the file first, so that nothing is appended to half a
// message.
//
// In      queue rows that had a place when this run began
// Out     each file without the torn end of another row's message; that row's own attempt does the rest

import type { FileHandle } from 'node:fs/promises';
import type { QueueRowId } from '../../base/ids.ts';
import type { Reader } from '../../database/operation.ts';
import type { Blobs } from '../../store/blobs.ts';
import { storedMessage } from '../deliveries.ts';
import { mboxMessage } from '../lf-text.ts';
import { carriedBy, type QueueRow, rowsWithIntent } from '../queue.ts';
import { cutAt, foundAt, placeOf } from './mbox.ts';

export interface TornEndsParts {
  readonly reader: Reader;
  readonly blobs: Pick<Blobs, 'read'>;
}

export class TornEnds {
  readonly #parts: TornEndsParts;
  /** By destination; undefined: nobody has asked yet. */
  #rows: Map<string, QueueRow[]> | undefined;

  constructor(parts: TornEndsParts) {
    this.#parts = parts;
  }

  /** `own` is for its own attempt. */
  async cutOthers(file: FileHandle, destination: string, own: QueueRowId): Promise<void> {
    this.#rows ??= Map.groupBy(rowsWithIntent(this.#parts.reader, 'file'), (row) => row.destination);
    const rows = this.#rows.get(destination) ?? [];
    this.#rows.delete(destination);
    for (const row of rows) if (row.id !== own) await this.#cut(file, row);
  }

  async #cut(file: FileHandle, row: QueueRow): Promise<void> {
    const { reader, blobs } = this.#parts;
    const place = row.intent && placeOf(row.intent);
    const message = storedMessage(reader, row.message);
    if (place === undefined || message === undefined) return;
    const text = mboxMessage(blobs, { message, envelope: carriedBy(row).envelope }, row.createdAt);
    if ((await foundAt(file, place, text)) === 'torn') await cutAt(file, place);
  }
}
