// The rows that a report is about, and who is to get one. RFC 3461 §4.1 §6.2
//
// In      rows of one message and one sender: failed or done, or waiting with a delay to be reported
// Out     each with what its report needs, and which of them get none
// nobody   the sender does not want to know it (NOTIFY), or is null and nothing has failed: no mail answers a report
// postmaster   a report that cannot be delivered fails once more at the site postmaster, and ends there

import { type Address, addressKey, tryParseAddress } from '../../message/address.ts';
import { type MailParameters, type NotifyWord, type Recipient, wants } from '../../message/envelope.ts';
import type { Site } from '../../routing/resolve.ts';
import { SITE_POSTMASTER } from '../../routing/rows.ts';
import { carriedBy, isToReport, type QueueRow } from '../queue.ts';

/** What goes into one report: the sender reads what has failed apart from what has not. */
export type ReportKind = 'failed' | 'success' | 'delayed';

/** A row, and the recipient that it is about. */
export interface ReportedRow {
  readonly row: QueueRow;
  readonly kind: ReportKind;
  readonly sender: Address | undefined;
  readonly recipient: Recipient;
  readonly parameters: MailParameters;
  /** Whose own affair it is: a user's program or file, say. Undefined: the sender's. */
  readonly reportTo: Address | undefined;
}

/** The columns say enough where the rest cannot be read: the sender gets a report all the same. */
export function reportedRow(row: QueueRow): ReportedRow {
  const kind = kindOf(row);
  try {
    const { envelope, target } = carriedBy(row);
    const { reportTo } = target.options;
    return {
      row,
      kind,
      sender: envelope.sender,
      recipient: envelope.recipients[0]!,
      parameters: envelope,
      reportTo: kind === 'failed' && typeof reportTo === 'string' ? tryParseAddress(reportTo) : undefined,
    };
  } catch {
    const address = tryParseAddress(row.recipient) ?? { localPart: row.recipient, domain: '' };
    const sender = tryParseAddress(row.sender);
    return { row, kind, sender, recipient: { address }, parameters: {}, reportTo: undefined };
  }
}

function kindOf(row: QueueRow): ReportKind {
  if (!isToReport(row)) return 'delayed';
  return row.state === 'failed' ? 'failed' : 'success';
}

const WORDS: Readonly<Record<ReportKind, NotifyWord>> = { failed: 'FAILURE', success: 'SUCCESS', delayed: 'DELAY' };

/** `lost`: it has failed, and nobody is left to be told. */
export type Addressee = 'somebody' | 'nobody' | 'lost';

export function addresseeOf(reported: ReportedRow, site: Site): Addressee {
  const { kind, sender, recipient, reportTo } = reported;
  if (reportTo !== undefined) return 'somebody';
  if (!wants(recipient, WORDS[kind]) && !isTraced(reported)) return 'nobody';
  if (sender !== undefined) return 'somebody';
  if (kind !== 'failed') return 'nobody';
  return isSitePostmaster(recipient.address, site) ? 'lost' : 'somebody';
}

/** BY asks for reports of relaying, whatever else is wanted; without it no row is kept for one. RFC 2852 §4 */
function isTraced({ row, recipient, parameters }: ReportedRow): boolean {
  return row.action === 'relayed' && parameters.by !== undefined && recipient.notify?.length !== 0;
}

function isSitePostmaster(address: Address, site: Site): boolean {
  if (address.localPart.toLowerCase() !== SITE_POSTMASTER) return false;
  return address.domain === '' || site.hostnames.includes(address.domain);
}

/** Rows of one report each. */
export function groupedByReport(rows: readonly ReportedRow[]): (readonly ReportedRow[])[] {
  const keyOf = ({ kind, reportTo }: ReportedRow): string =>
    reportTo === undefined ? kind : `${kind} ${addressKey(reportTo)}`;
  return [...Map.groupBy(rows, keyOf).values()];
}
