// The text of a report on rows of a message.
//
// In      rows that go into one report (rows.ts); the original, as far as it can be read
// Out     the report's bytes, and what its envelope has to say of them
// Limits  ORIGINAL_HEAD_BYTES of the original are read, FULL_MAX where its sender wants all of it back
// RFC 3461 §4.3 §6.2 §6.3, RFC 3464, RFC 8689 §5

import { asFailure } from '../../base/failure.ts';
import { idText, type MessageId } from '../../base/ids.ts';
import type { Log } from '../../base/log.ts';
import type { Reader } from '../../database/operation.ts';
import { type Address, formatAddress } from '../../message/address.ts';
import { type BuiltReport, buildDeliveryReport, type DeliveryReport } from '../../message/dsn/report.ts';
import type { ReportedRecipient } from '../../message/dsn/status.ts';
import type { MailParameters } from '../../message/envelope.ts';
import { findValue, type Header, parseHeader } from '../../message/header.ts';
import { parseMessageId } from '../../message/message-id.ts';
import type { Site } from '../../routing/resolve.ts';
import { SITE_POSTMASTER } from '../../routing/rows.ts';
import type { Blobs } from '../../store/blobs.ts';
import { getMessage } from '../../store/messages.ts';
import type { QueueRow } from '../queue.ts';
import type { ReportedRow } from './rows.ts';

const ORIGINAL_HEAD_BYTES = 64 * 1024;
/** A whole message that is larger comes back with its header alone. */
const FULL_MAX = 1024 * 1024;

export interface MakeParts {
  readonly reader: Reader;
  readonly blobs: Blobs;
  readonly log: Log;
  readonly site: Site;
  /** How long a row of this channel is tried, milliseconds. */
  readonly expireMsOf: (channel: string) => number;
}

export interface ReportToMake {
  readonly rows: readonly ReportedRow[];
  readonly to: Address;
  readonly id: MessageId;
  readonly at: number;
}

/** The site postmaster: who reports are from, and who gets those that nobody else can. */
export function postmasterOf(site: Site): Address {
  return { localPart: SITE_POSTMASTER, domain: site.hostnames[0]! };
}

export async function makeReport(parts: MakeParts, { rows, to, id, at }: ReportToMake): Promise<BuiltReport> {
  const { site } = parts;
  const { row: first, kind, parameters } = rows[0]!;
  const isWhole = kind === 'failed' && parameters.ret === 'FULL';
  return buildDeliveryReport({
    hostname: site.hostnames[0]!,
    postmaster: postmasterOf(site),
    to,
    id: idText(id),
    at,
    originalId: idText(first.message),
    envelopeId: parameters.envid,
    arrivedAt: first.createdAt,
    mayUseUtf8: parameters.isUtf8 === true,
    recipients: rows.map((reported) => reportedRecipient(parts, reported, at)),
    ...(await original(parts, first.message, isWhole)),
  });
}

/** What the report says of the original; nothing when it cannot be read: the sender gets a report all the same. */
async function original(
  { reader, blobs, log, site }: MakeParts,
  message: MessageId,
  isWhole: boolean,
): Promise<Pick<DeliveryReport, 'original' | 'originalMessageId' | 'receivedFrom'>> {
  try {
    const { blob, traceBytes } = getMessage(reader, message);
    const sizeBytes = blob.length - traceBytes;
    const kind = isWhole && sizeBytes <= FULL_MAX ? 'message' : 'header';
    const bytes = await blobs.read(blob, traceBytes, kind === 'message' ? sizeBytes : ORIGINAL_HEAD_BYTES);
    const header = parseHeader(bytes);
    const field = findValue(header, 'message-id');
    return {
      original: { kind, bytes },
      originalMessageId: field === undefined ? undefined : parseMessageId(field),
      receivedFrom: receivedFrom(header, site),
    };
  } catch (error) {
    log.error('transfer.notify', { queue: idText(message), detail: asFailure(error).detail });
    return { original: undefined, originalMessageId: undefined, receivedFrom: undefined };
  }
}

/** `client.example ([192.0.2.1])` of the Received field that this host has written; undefined where that is not there. */
function receivedFrom(header: Header, { hostnames }: Site): string | undefined {
  const value = findValue(header, 'received');
  if (value === undefined || !value.startsWith('from ')) return undefined;
  const end = value.indexOf(`) by ${hostnames[0]} (Waypost) with `);
  return end < 0 ? undefined : value.slice('from '.length, end + 1);
}

function reportedRecipient(
  parts: MakeParts,
  { row, kind, recipient, parameters }: ReportedRow,
  at: number,
): ReportedRecipient {
  const { address, original: written, orcpt } = recipient;
  const isSame = written === undefined || written === formatAddress(address);
  return {
    address,
    original: orcpt ?? (isSame ? undefined : { type: 'rfc822', address: written }),
    action: kind === 'delayed' ? 'delayed' : (row.action ?? 'failed'),
    status: row.status ?? (kind === 'success' ? '2.0.0' : kind === 'failed' ? '5.0.0' : '4.0.0'),
    remoteMta: row.remote,
    diagnostic: row.lastError ?? (kind === 'delayed' ? delayWords(row) : 'It could not be delivered'),
    lastAttemptAt: row.lastAttemptAt,
    // What is held is tried once it is released, whenever that is.
    willRetryUntil:
      kind === 'delayed' && row.heldBy === undefined ? willRetryUntil(parts, row, parameters, at) : undefined,
  };
}

function delayWords({ heldBy }: QueueRow): string {
  if (heldBy === 'moderation') return 'It waits for a moderator';
  return heldBy === undefined ? 'It has not been tried yet' : 'It is held until it can be delivered';
}

/** By the wall clock of now: what the row has waited counts, outages of ours do not. */
function willRetryUntil(parts: MakeParts, row: QueueRow, { by }: MailParameters, at: number): number {
  const until = at + Math.max(0, parts.expireMsOf(row.channel) - row.waitedMs);
  return by?.mode === 'R' ? Math.min(until, by.at) : until;
}
