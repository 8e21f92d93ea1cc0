// Telling the sender: a delivery report for what failed for good, made and accepted like any message.
//
// In      rows of one message in the state `failed`
// Out     one report for all of them; the operation that inserts it removes the rows, so that a crash repeats nothing
// Order   the report's bytes are synced into this thread's segment, then the operation names them
// To whom the sender, wherever it is; for the null sender the site postmaster, from the null sender, once: when even that
//         fails it is logged and dropped
// Limits  REPORTED_MAX rows a report, ORIGINAL_HEAD_BYTES of the original are read
// RFC 3464, RFC 5321 §4.5.5 §6.1

import type { Clock } from '../base/clock.ts';
import { asFailure } from '../base/failure.ts';
import { idText } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import { type Operation, operation, type Reader, type Transaction, type Writer } from '../database/operation.ts';
import { type Address, formatAddress, tryParseAddress } from '../message/address.ts';
import { buildDeliveryReport, type ReportedRecipient } from '../message/dsn.ts';
import { findValue, parseHeader } from '../message/header.ts';
import { parseMessageId } from '../message/message-id.ts';
import { returnPathField } from '../message/trace.ts';
import type { Site } from '../routing/resolve.ts';
import { resolveIn } from '../routing/resolve-in.ts';
import { SITE_POSTMASTER } from '../routing/rows.ts';
import type { Blobs } from '../store/blobs.ts';
import { insertMessage } from '../store/deliver.ts';
import { Intake, type Intakes, type TakenMessage } from '../store/intake.ts';
import { getMessage, type MessageRow } from '../store/messages.ts';
import { beginJourney, continueJourney } from './journey.ts';
import { gather, parseRecipient, place } from './place.ts';
import { type QueueRow, rowsIn } from './queue.ts';
import { endRows } from './record.ts';

/** Recipients of one report; more of them get another. */
export const REPORTED_MAX = 200;
const ORIGINAL_HEAD_BYTES = 64 * 1024;

export interface NotifyParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly intakes: Intakes;
  readonly blobs: Blobs;
  readonly clock: Clock;
  readonly log: Log;
  readonly nextId: () => number;
  readonly site: Site;
  readonly operation: Operation<NotifyArguments, Notified>;
}

export interface NotifyArguments {
  /** The message that failed. */
  readonly message: number;
  readonly rows: readonly number[];
  readonly report: MessageRow;
  /** The report's, without brackets. */
  readonly messageId: string | undefined;
  /** Whom it is for, as SMTP writes it. */
  readonly to: string;
  readonly at: number;
}

export interface Notified {
  /** False when nothing was left to be told of. */
  readonly sent: boolean;
}

export function notifyOperation(site: Site): Operation<NotifyArguments, Notified> {
  return operation('transfer.notify', (tx, args) => notify(tx, args, site));
}

async function notify(tx: Transaction, args: NotifyArguments, site: Site): Promise<Notified> {
  const { message, report, to, at } = args;
  const rows = (await rowsIn(tx, args.rows)).filter((row) => row.state === 'failed');
  if (rows.length === 0) return { sent: false };
  const resolution = await resolveIn(tx, parseRecipient(to), site);
  // Whoever may have sent it may be written to.
  const gathered = gather([{ address: to, original: undefined, resolution }], true);
  await insertMessage(tx, report, gathered.targets.length + gathered.failed.length);
  const placed = {
    id: report.id,
    received: report.received,
    size: report.blob.length,
    sender: '',
    body: '7BIT' as const,
  };
  const { events } = await place(tx, placed, gathered, at);
  await beginJourney(tx, report.id, at, args.messageId, [...gathered.events, ...events]);
  await endRows(
    tx,
    message,
    rows.map((row) => row.id),
  );
  const status = `2.0.0 report ${idText(report.id)} to ${to}`;
  const told = rows.map(({ recipient }) => ({ event: 'notified' as const, recipient, status }));
  await continueJourney(tx, message, at, told);
  return { sent: true };
}

/** Rows that nobody can be told of: a failure to reach the site postmaster with what came from nobody. */
export const dropFailed = operation(
  'transfer.dropFailed',
  async (tx, args: { readonly message: number; readonly rows: readonly number[]; readonly at: number }) => {
    const rows = (await rowsIn(tx, args.rows)).filter((row) => row.state === 'failed');
    await endRows(
      tx,
      args.message,
      rows.map((row) => row.id),
    );
    const status = '5.3.0 nobody can be told';
    const events = rows.map(({ recipient }) => ({ event: 'removed' as const, recipient, status }));
    await continueJourney(tx, args.message, args.at, events);
  },
);

/** `rows`: of one message and one sender, in the state `failed`, at most REPORTED_MAX. Throws what the writer throws. */
export async function notifySender(parts: NotifyParts, rows: readonly QueueRow[]): Promise<void> {
  const { site, log } = parts;
  const { message, sender } = rows[0]!;
  const dropped = sender === '' ? rows.filter((row) => isSitePostmaster(row.recipient, site)) : [];
  if (dropped.length > 0) {
    const ids = dropped.map((row) => row.id);
    log.error('transfer.drop', {
      queue: idText(message),
      recipient: dropped[0]!.recipient,
      reason: reasonOf(dropped[0]!),
    });
    await parts.writer.execute(dropFailed, { message, rows: ids, at: parts.clock.now() });
  }
  const reported = rows.filter((row) => !dropped.includes(row));
  if (reported.length > 0) await sendReport(parts, reported);
}

function isSitePostmaster(recipient: string, site: Site): boolean {
  const address = recipientAddress(recipient);
  if (address.localPart.toLowerCase() !== SITE_POSTMASTER) return false;
  return address.domain === '' || site.hostnames.includes(address.domain);
}

async function sendReport(parts: NotifyParts, rows: readonly QueueRow[]): Promise<void> {
  const { site, clock, log, writer } = parts;
  const { message, sender } = rows[0]!;
  const postmaster = { localPart: SITE_POSTMASTER, domain: site.hostnames[0]! };
  const to = tryParseAddress(sender) ?? postmaster;
  const id = parts.nextId();
  const text = buildDeliveryReport({
    hostname: site.hostnames[0]!,
    postmaster,
    to,
    id: idText(id),
    at: clock.now(),
    originalId: idText(message),
    arrivedAt: rows[0]!.createdAt,
    recipients: rows.map(reportedRecipient),
    ...(await original(parts, message)),
  });
  const taken = await takeIn(parts, id, text);
  try {
    const args = {
      message,
      rows: rows.map((row) => row.id),
      report: taken.row,
      messageId: taken.parsed.messageId,
      to: formatAddress(to),
      at: clock.now(),
    };
    const { sent } = await writer.execute(parts.operation, args, 1024 + taken.row.structure.length);
    if (sent)
      log.info('transfer.notify', { queue: idText(message), report: idText(id), to: args.to, recipients: rows.length });
  } finally {
    taken.pending.settle();
  }
}

/** The bytes of the report, synced, with the Return-Path line that every stored message has. */
async function takeIn(parts: NotifyParts, id: number, text: string): Promise<TakenMessage> {
  const intake = new Intake(parts.intakes, id, () => ({ returnPath: returnPathField(''), fields: '' }));
  try {
    await intake.write(Buffer.from(text, 'latin1'));
    return await intake.finish(parts.clock.now());
  } catch (error) {
    intake.abandon();
    throw error;
  }
}

/** What the report says of the original; nothing when it cannot be read: the sender is told all the same. */
async function original(
  { reader, blobs, log }: NotifyParts,
  message: number,
): Promise<{ originalHead: Buffer | undefined; originalMessageId: string | undefined }> {
  try {
    const { blob, traceBytes } = getMessage(reader, message);
    const head = await blobs.read(blob, traceBytes, ORIGINAL_HEAD_BYTES);
    const field = findValue(parseHeader(head), 'message-id');
    return { originalHead: head, originalMessageId: field === undefined ? undefined : parseMessageId(field) };
  } catch (error) {
    log.error('transfer.notify', { queue: idText(message), detail: asFailure(error).detail });
    return { originalHead: undefined, originalMessageId: undefined };
  }
}

function reportedRecipient(row: QueueRow): ReportedRecipient {
  return {
    address: recipientAddress(row.recipient),
    original: row.original === row.recipient ? undefined : row.original,
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

function recipientAddress(recipient: string): Address {
  return tryParseAddress(recipient) ?? { localPart: recipient, domain: '' };
}
