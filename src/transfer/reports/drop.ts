// Rows that nobody is told of: they end as if they had been reported, and a delay is counted as if it had been.
//
// In      rows of one message and one sender
// Out     those that are to be reported; the others are done with in one transaction
// lost    the null sender's mail to the site postmaster, who would get the report: logged, and in the journey
// silent  the sender does not want to know it: the journey has what became of it already

import type { Clock } from '../../base/clock.ts';
import { idText, type MessageId, type QueueRowId } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import { operation, type Writer } from '../../database/operation.ts';
import type { Site } from '../../routing/resolve.ts';
import { continueJourney } from '../journey.ts';
import { isToReport, type QueueRow, rowsIn } from '../queue.ts';
import { endRows } from '../record.ts';
import { delayReported } from './due.ts';
import { addresseeOf, type ReportedRow } from './rows.ts';

export interface DropArguments {
  readonly message: MessageId;
  readonly rows: readonly QueueRowId[];
  /** Of the rows, those that are lost: the journey says so. */
  readonly lost: readonly QueueRowId[];
  readonly at: number;
}

export const dropReports = operation('transfer.dropReports', async (tx, args: DropArguments) => {
  const { message, lost, at } = args;
  const rows = await rowsIn(tx, args.rows);
  const ended = rows.filter(isToReport);
  await endRows(
    tx,
    message,
    ended.map((row) => row.id),
  );
  await delayReported(
    tx,
    rows.filter((row) => !isToReport(row)).map((row) => row.id),
  );
  const events = ended
    .filter((row) => lost.includes(row.id))
    .map(({ recipient }) => ({ event: 'removed' as const, recipient, status: '5.3.0 no report is possible' }));
  if (events.length > 0) await continueJourney(tx, message, at, events);
});

interface DropParts {
  readonly writer: Writer;
  readonly site: Site;
  readonly log: Log;
  readonly clock: Clock;
}

/** Delays of which no report can be made: nothing is lost, their rows wait on. */
export async function dropDelays(
  { writer, clock }: Pick<DropParts, 'writer' | 'clock'>,
  rows: readonly QueueRow[],
): Promise<void> {
  const args = { message: rows[0]!.message, rows: rows.map((row) => row.id), lost: [], at: clock.now() };
  await writer.execute(dropReports, args);
}

/** Who is to be told remains. */
export async function dropped(parts: DropParts, rows: readonly ReportedRow[]): Promise<ReportedRow[]> {
  const byAddressee = Map.groupBy(rows, (row) => addresseeOf(row, parts.site));
  const lost = byAddressee.get('lost') ?? [];
  const untold = [...lost, ...(byAddressee.get('nobody') ?? [])];
  if (untold.length > 0) {
    const { message } = untold[0]!.row;
    for (const { row } of lost.slice(0, 1))
      parts.log.error('transfer.drop', { queue: idText(message), recipient: row.recipient, reason: row.lastError });
    const ids = (some: readonly ReportedRow[]): QueueRowId[] => some.map(({ row }) => row.id);
    const args = { message, rows: ids(untold), lost: ids(lost), at: parts.clock.now() };
    await parts.writer.execute(dropReports, args);
  }
  return byAddressee.get('somebody') ?? [];
}
