// Reports to senders: a delivery report is made and submitted like any message.
//
// In      rows of one message and one sender: failed or done, or waiting with a delay to be reported
// Out     a report for those of a kind together; the operation that accepts it ends the rows, or notes that the delay is
//         reported, so that a crash repeats nothing
// Order   the report's bytes are synced into this thread's segment, then the operation names them
// To whom the sender, wherever it is; the user whose program or file it was, while that user has a mailbox; for the null sender the site postmaster, from the
//         null sender, once: see rows.ts and drop.ts
// Limits  REPORTED_MAX rows a report
// RFC 3464, RFC 5321 §4.5.5 §6.1, RFC 8689 §5

import { idText, type MessageId, type QueueRowId } from '../../base/ids.ts';
import { type Operation, operation, type Transaction, type Writer } from '../../database/operation.ts';
import { SERVER } from '../../directory/caller.ts';
import { formatAddress } from '../../message/address.ts';
import type { Intakes } from '../../store/intake.ts';
import { type AcceptArguments, type Accepted, accept } from '../accept.ts';
import { continueJourney } from '../journey.ts';
import { takeMade } from '../made-mail.ts';
import type { PlaceParts } from '../place.ts';
import { isToReport, type QueueRow, rowsIn } from '../queue.ts';
import { endRows } from '../record.ts';
import type { Signer } from '../sign/signer.ts';
import { type PrepareParts, submit } from '../submit.ts';
import { dropped } from './drop.ts';
import { delayReported } from './due.ts';
import { type MakeParts, makeReport, postmasterOf } from './make.ts';
import { groupedByReport, type ReportedRow, type ReportKind, reportedRow } from './rows.ts';

/** Recipients of one report; more of them get another. */
export const REPORTED_MAX = 200;

export interface ReportParts extends PrepareParts, MakeParts {
  readonly writer: Writer;
  readonly intakes: Intakes;
  readonly signer: Pick<Signer, 'signsTo'>;
  readonly nextId: () => MessageId;
  readonly operation: Operation<ReportArguments, Accepted>;
}

export interface ReportArguments {
  /** The message that it is about. */
  readonly message: MessageId;
  readonly rows: readonly QueueRowId[];
  readonly kind: ReportKind;
  readonly report: AcceptArguments;
  /** Whom it is for, for the journey. */
  readonly to: string;
  readonly at: number;
}

/** Nothing is accepted when no row is left to be reported. */
export function reportOperation(parts: PlaceParts): Operation<ReportArguments, Accepted> {
  return operation('transfer.report', async (tx, { message, rows: ids, kind, report, to, at }) => {
    const rows = await rowsOfKind(tx, ids, kind);
    if (rows.length === 0) return { kinds: [], results: [], delivered: 0, queued: 0 };
    const accepted = await accept(tx, report, parts);
    if (isUnset(accepted)) return accepted;
    const reported = rows.map((row) => row.id);
    if (kind === 'delayed') await delayReported(tx, reported);
    else await endRows(tx, message, reported);
    const status = `2.0.0 report ${idText(report.message.id)} to ${to}`;
    const events = rows.map(({ recipient }) => ({ event: 'notified' as const, recipient, status }));
    await continueJourney(tx, message, at, events);
    return accepted;
  });
}

/** Nobody is there who could read it: the user has no mailbox any more. */
function isUnset({ kinds }: Accepted): boolean {
  return kinds.some(({ how }) => how === 'unset');
}

async function rowsOfKind(tx: Transaction, ids: readonly QueueRowId[], kind: ReportKind): Promise<QueueRow[]> {
  const rows = await rowsIn(tx, ids);
  // What has failed meanwhile is not delayed any more.
  return rows.filter((row) => isToReport(row) === (kind !== 'delayed') && (kind !== 'delayed' || row.isDelayDue));
}

/** At most REPORTED_MAX rows of one message and one sender. Throws what the writer throws. */
export async function reportRows(parts: ReportParts, rows: readonly QueueRow[]): Promise<void> {
  await tell(parts, rows.map(reportedRow));
}

async function tell(parts: ReportParts, rows: readonly ReportedRow[]): Promise<void> {
  const told = await dropped(parts, rows);
  for (const together of groupedByReport(told)) {
    const isRead = await sendReport(parts, together);
    if (!isRead)
      await tell(
        parts,
        together.map((row) => ({ ...row, reportTo: undefined })),
      );
  }
}

/** False: the user whose affair it is has no mailbox any more, and nothing has been done. */
async function sendReport(parts: ReportParts, rows: readonly ReportedRow[]): Promise<boolean> {
  const { site, clock, log, writer } = parts;
  const { row: first, kind, sender, parameters, reportTo } = rows[0]!;
  const { message } = first;
  const address = reportTo ?? sender ?? postmasterOf(site);
  const to = formatAddress(address);
  const id = parts.nextId();
  const { bytes, body, isUtf8 } = await makeReport(parts, { rows, to: address, id, at: clock.now() });
  const sign = await parts.signer.signsTo({ kind: 'own' }, [address]);
  const taken = await takeMade(parts, { bytes, sender: undefined, id, sign });
  const ids = rows.map(({ row }) => row.id);
  const commit = (report: AcceptArguments, bytes: number): Promise<Accepted> =>
    writer.execute(parts.operation, { message, rows: ids, kind, report, to, at: report.at }, bytes);
  try {
    const { results } = await submit(
      { ...parts, commit },
      {
        envelope: {
          sender: undefined,
          recipients: [{ address }],
          body,
          ...(isUtf8 ? { isUtf8 } : {}),
          ...(parameters.requireTls === true ? { requireTls: true } : {}),
        },
        message: taken,
        caller: SERVER,
        // The postmaster is ours, and a sender may get a report at any host.
        mayRelay: true,
        door: 'internal',
        refused: 'report',
        ...(reportTo === undefined ? {} : { part: { part: 'mailbox' } }),
      },
    );
    if (results.some(({ how }) => how === 'unset')) return false;
    if (results.length > 0)
      log.info('transfer.notify', {
        queue: idText(message),
        report: idText(id),
        to,
        action: kind,
        recipients: rows.length,
      });
    return true;
  } finally {
    taken.pending.settle();
  }
}
