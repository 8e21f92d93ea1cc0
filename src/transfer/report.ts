// Reports to senders: a delivery report for permanent failures, made and submitted like any message.
//
// In      rows of one message in the state `failed`
// Out     one report for all of them; the operation that accepts it ends the rows, so that a crash repeats nothing
// Order   the report's bytes are synced into this thread's segment, then the operation names them
// To whom the sender, wherever it is; for the null sender the site postmaster, from the null sender, once: when even that
//         fails it is logged and dropped
// Limits  REPORTED_MAX rows a report, ORIGINAL_HEAD_BYTES of the original are read
// RFC 3464, RFC 5321 §4.5.5 §6.1

import { asFailure } from '../base/failure.ts';
import { idText, type MessageId, type QueueRowId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { type Operation, operation, type Reader, type Transaction, type Writer } from '../database/operation.ts';
import { SERVER } from '../directory/caller.ts';
import { type Address, formatAddress, tryParseAddress } from '../message/address.ts';
import { buildDeliveryReport, type DeliveryReport } from '../message/dsn/report.ts';
import type { ReportedRecipient } from '../message/dsn/status.ts';
import type { Recipient } from '../message/envelope.ts';
import { findValue, parseHeader } from '../message/header.ts';
import { parseMessageId } from '../message/message-id.ts';
import type { Site } from '../routing/resolve.ts';
import { SITE_POSTMASTER } from '../routing/rows.ts';
import type { Blobs } from '../store/blobs.ts';
import type { Intakes } from '../store/intake.ts';
import { getMessage } from '../store/messages.ts';
import { type AcceptArguments, type Accepted, accept } from './accept.ts';
import { continueJourney } from './journey.ts';
import { takeMade } from './made-mail.ts';
import type { PlaceParts } from './place.ts';
import { carriedBy, isToReport, type QueueRow, rowsIn } from './queue.ts';
import { endRows } from './record.ts';
import { type PrepareParts, submit } from './submit.ts';

/** Recipients of one report; more of them get another. */
export const REPORTED_MAX = 200;
const ORIGINAL_HEAD_BYTES = 64 * 1024;

export interface ReportParts extends PrepareParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly intakes: Intakes;
  readonly blobs: Blobs;
  readonly log: Log;
  readonly nextId: () => MessageId;
  readonly site: Site;
  readonly operation: Operation<ReportArguments, Accepted>;
}

export interface ReportArguments {
  /** The message that failed. */
  readonly message: MessageId;
  readonly rows: readonly QueueRowId[];
  readonly report: AcceptArguments;
  /** Whom it is for, for the journey. */
  readonly to: string;
  readonly at: number;
}

/** Nothing is accepted when no row is left to be reported. */
export function reportOperation(parts: PlaceParts): Operation<ReportArguments, Accepted> {
  return operation('transfer.report', async (tx, { message, rows: ids, report, to, at }) => {
    const rows = await failedRows(tx, ids);
    if (rows.length === 0) return { kinds: [], results: [], delivered: 0, queued: 0 };
    const accepted = await accept(tx, report, parts);
    const status = `2.0.0 report ${idText(report.message.id)} to ${to}`;
    await endAs(tx, 'notified', { message, rows, status, at });
    return accepted;
  });
}

async function failedRows(tx: Transaction, ids: readonly QueueRowId[]): Promise<QueueRow[]> {
  return (await rowsIn(tx, ids)).filter(isToReport);
}

async function endAs(
  tx: Transaction,
  event: 'notified' | 'removed',
  ended: {
    readonly message: MessageId;
    readonly rows: readonly QueueRow[];
    readonly status: string;
    readonly at: number;
  },
): Promise<void> {
  const { message, rows, status, at } = ended;
  const ids = rows.map((row) => row.id);
  await endRows(tx, message, ids);
  const events = rows.map(({ recipient }) => ({ event, recipient, status }));
  await continueJourney(tx, message, at, events);
}

/** Rows without a report: the sender is null, and the recipient is the site postmaster, who would get the report. */
export const dropFailed = operation(
  'transfer.dropFailed',
  async (tx, args: { readonly message: MessageId; readonly rows: readonly QueueRowId[]; readonly at: number }) => {
    const { message, at } = args;
    await endAs(tx, 'removed', {
      message,
      rows: await failedRows(tx, args.rows),
      status: '5.3.0 no report is possible',
      at,
    });
  },
);

/** A row, and the recipient that it is about. */
interface ReportedRow {
  readonly row: QueueRow;
  readonly sender: Address | undefined;
  readonly recipient: Recipient;
}

/** `rows`: of one message and one sender, in the state `failed`, at most REPORTED_MAX. Throws what the writer throws. */
export async function reportFailures(parts: ReportParts, rows: readonly QueueRow[]): Promise<void> {
  const { site, log } = parts;
  const { message, sender } = rows[0]!;
  const all = rows.map(reportedRow);
  const dropped = sender === '' ? all.filter(({ recipient }) => isSitePostmaster(recipient.address, site)) : [];
  if (dropped.length > 0) {
    const ids = dropped.map(({ row }) => row.id);
    log.error('transfer.drop', {
      queue: idText(message),
      recipient: dropped[0]!.row.recipient,
      reason: reasonOf(dropped[0]!.row),
    });
    await parts.writer.execute(dropFailed, { message, rows: ids, at: parts.clock.now() });
  }
  const reported = all.filter((row) => !dropped.includes(row));
  if (reported.length > 0) await sendReport(parts, reported);
}

/** The columns say enough where the rest cannot be read: the sender gets a report all the same. */
function reportedRow(row: QueueRow): ReportedRow {
  try {
    const { envelope } = carriedBy(row);
    return { row, sender: envelope.sender, recipient: envelope.recipients[0]! };
  } catch {
    const address = tryParseAddress(row.recipient) ?? { localPart: row.recipient, domain: '' };
    return { row, sender: tryParseAddress(row.sender), recipient: { address } };
  }
}

function isSitePostmaster(address: Address, site: Site): boolean {
  if (address.localPart.toLowerCase() !== SITE_POSTMASTER) return false;
  return address.domain === '' || site.hostnames.includes(address.domain);
}

async function sendReport(parts: ReportParts, rows: readonly ReportedRow[]): Promise<void> {
  const { site, clock, log, writer } = parts;
  const { row: first, sender } = rows[0]!;
  const { message } = first;
  const postmaster = { localPart: SITE_POSTMASTER, domain: site.hostnames[0]! };
  const address = sender ?? postmaster;
  const to = formatAddress(address);
  const id = parts.nextId();
  const { bytes, body } = buildDeliveryReport({
    hostname: site.hostnames[0]!,
    postmaster,
    to: address,
    id: idText(id),
    at: clock.now(),
    originalId: idText(message),
    envelopeId: undefined,
    receivedFrom: undefined,
    arrivedAt: first.createdAt,
    mayUseUtf8: false,
    recipients: rows.map(reportedRecipient),
    ...(await original(parts, message)),
  });
  const taken = await takeMade(parts, { bytes, sender: undefined, id });
  const ids = rows.map(({ row }) => row.id);
  const commit = (report: AcceptArguments, bytes: number): Promise<Accepted> =>
    writer.execute(parts.operation, { message, rows: ids, report, to, at: report.at }, bytes);
  try {
    const { results } = await submit(
      { ...parts, commit },
      {
        envelope: { sender: undefined, recipients: [{ address }], body },
        message: taken,
        caller: SERVER,
        // The postmaster is ours, and a sender may get a report at any host.
        mayRelay: true,
        door: 'internal',
        refused: 'report',
      },
    );
    if (results.length > 0)
      log.info('transfer.notify', { queue: idText(message), report: idText(id), to, recipients: rows.length });
  } finally {
    taken.pending.settle();
  }
}

/** What the report says of the original; nothing when it cannot be read: the sender gets a report all the same. */
async function original(
  { reader, blobs, log }: ReportParts,
  message: MessageId,
): Promise<Pick<DeliveryReport, 'original' | 'originalMessageId'>> {
  try {
    const { blob, traceBytes } = getMessage(reader, message);
    const head = await blobs.read(blob, traceBytes, ORIGINAL_HEAD_BYTES);
    const field = findValue(parseHeader(head), 'message-id');
    return {
      original: { kind: 'header', bytes: head },
      originalMessageId: field === undefined ? undefined : parseMessageId(field),
    };
  } catch (error) {
    log.error('transfer.notify', { queue: idText(message), detail: asFailure(error).detail });
    return { original: undefined, originalMessageId: undefined };
  }
}

function reportedRecipient({ row, recipient }: ReportedRow): ReportedRecipient {
  const { address, original: written } = recipient;
  return {
    address,
    original:
      written === undefined || written === formatAddress(address) ? undefined : { type: 'rfc822', address: written },
    action: 'failed',
    status: row.status ?? '5.0.0',
    remoteMta: row.remote,
    diagnostic: reasonOf(row),
    lastAttemptAt: row.lastAttemptAt,
    willRetryUntil: undefined,
  };
}

function reasonOf(row: QueueRow): string {
  return row.lastError ?? 'It could not be delivered';
}
