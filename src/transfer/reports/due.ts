// Which rows are due for a report of their delay.
//
// In      a row that has been deferred, how long it has waited, the times of its channel; the queue
// Out     whether its sender is to be told now; the rows whose report is to be made
// A report of a delay ends nothing: the row waits on, and has its state, its lease and its time as before. RFC 3461 §4.1

import type { QueueRowId } from '../../base/ids.ts';
import type { Reader, Transaction } from '../../database/operation.ts';
import { wants } from '../../message/envelope.ts';
import { carriedBy, type QueueRow, queueRow } from '../queue.ts';

/** Of `delays` of a row's time, in order, so many are past. */
function passed(waitedMs: number, delaysMs: readonly number[]): number {
  return delaysMs.filter((ms) => waitedMs >= ms).length;
}

/** How many reports of a delay a row has had when the one that is due now is made; undefined where none is due. */
export function noticeDue(row: QueueRow, waitedMs: number, delaysMs: readonly number[]): number | undefined {
  const number = passed(waitedMs, delaysMs);
  if (number === 0 || number <= row.delays || row.sender === '') return undefined;
  // Most rows say nothing of it, and are not parsed for it.
  if (!row.options.includes('"notify"')) return number;
  try {
    return wants(carriedBy(row).envelope.recipients[0]!, 'DELAY') ? number : undefined;
  } catch {
    return number;
  }
}

/** At most `limit`, in order of id. */
export function delayedRows(reader: Reader, limit: number): QueueRow[] {
  return reader
    .all("SELECT * FROM queue WHERE delay_due = 1 AND state IN ('waiting', 'held') ORDER BY id LIMIT +?", limit)
    .map(queueRow);
}

/** The rows wait on. */
export async function delayReported(tx: Transaction, rows: readonly QueueRowId[]): Promise<void> {
  await tx.run(
    'UPDATE queue SET delay_due = 0, delays = delays + 1 WHERE id IN (SELECT value FROM json_each(?))',
    JSON.stringify(rows),
  );
}
