// The fields of a delivery status: what programs read of a report.
//
// In      what is known of the message and of each recipient; texts of strangers
// Out     message/delivery-status, or message/global-delivery-status where the report may go beyond ASCII
// Never   says more than is known: a field without a value is left out
// RFC 3464 §2, RFC 6533 §3 §5

import { type Address, formatAddress } from '../address.ts';
import { formatMailDate } from '../date.ts';
import { visible } from '../trace.ts';
import { lines, oneLine } from './text.ts';

export type ReportedAction = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded';

export interface ReportedRecipient {
  readonly address: Address;
  /** As the sender wrote it, or what ORCPT said; undefined where that is not known. Without its encoding. */
  readonly original: { readonly type: string; readonly address: string } | undefined;
  readonly action: ReportedAction;
  /** Enhanced status code, `5.1.1`. */
  readonly status: string;
  /** The host that answered, undefined when it was our own decision. */
  readonly remoteMta: string | undefined;
  /** The host's reply, or our reason in one sentence. */
  readonly diagnostic: string;
  readonly lastAttemptAt: number | undefined;
  /** For a delay: when we shall give up. */
  readonly willRetryUntil: number | undefined;
}

interface ReportedMessage {
  readonly hostname: string;
  readonly originalId: string;
  readonly envelopeId: string | undefined;
  readonly receivedFrom: string | undefined;
  readonly arrivedAt: number;
  readonly recipients: readonly ReportedRecipient[];
  readonly isUtf8: boolean;
}

export function statusFields(message: ReportedMessage): string {
  const { hostname, originalId, envelopeId, receivedFrom, arrivedAt, recipients, isUtf8 } = message;
  const own = lines(
    envelopeId === undefined ? undefined : `Original-Envelope-Id: ${oneLine(envelopeId)}`,
    `Reporting-MTA: dns; ${visible(hostname)}`,
    receivedFrom === undefined ? undefined : `Received-From-MTA: dns; ${oneLine(receivedFrom)}`,
    `X-Waypost-Queue-ID: ${visible(originalId)}`,
    `Arrival-Date: ${formatMailDate(arrivedAt)}`,
  );
  return own + recipients.map((recipient) => `\r\n${recipientFields(recipient, isUtf8)}`).join('');
}

function recipientFields(recipient: ReportedRecipient, isUtf8: boolean): string {
  const { address, original, action, status, remoteMta, diagnostic, lastAttemptAt, willRetryUntil } = recipient;
  // What a host says of a success is no diagnostic. RFC 3464 §2.3.6
  const isProblem = action === 'failed' || action === 'delayed';
  return lines(
    original === undefined ? undefined : `Original-Recipient: ${typed(original.type, original.address, isUtf8)}`,
    `Final-Recipient: ${typed('rfc822', formatAddress(address), isUtf8)}`,
    `Action: ${action}`,
    `Status: ${visible(status)}`,
    remoteMta === undefined ? undefined : `Remote-MTA: dns; ${oneLine(remoteMta)}`,
    isProblem
      ? `Diagnostic-Code: ${remoteMta === undefined ? 'x-waypost' : 'smtp'}; ${oneLine(diagnostic)}`
      : undefined,
    lastAttemptAt === undefined ? undefined : `Last-Attempt-Date: ${formatMailDate(lastAttemptAt)}`,
    willRetryUntil === undefined ? undefined : `Will-Retry-Until: ${formatMailDate(willRetryUntil)}`,
  );
}

/** An address with its type; one beyond ASCII has the type `utf-8`, and in a report of ASCII it is escaped. RFC 6533 §3 */
function typed(type: string, address: string, isUtf8: boolean): string {
  if (visible(address) === address && type !== 'utf-8')
    return `${oneLine(type).slice(0, TYPE_MAX)}; ${oneLine(address)}`;
  const beyond = withoutControls(address);
  return `utf-8; ${isUtf8 ? beyond : escaped(beyond)}`;
}

/** Of the type's name, and of an address that is escaped. */
const TYPE_MAX = 100;
const ESCAPED_MAX = 800;

function withoutControls(text: string): string {
  let clean = '';
  for (const character of text.slice(0, ESCAPED_MAX / 4)) {
    const code = character.codePointAt(0)!;
    clean += code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0x2028 || code === 0x2029 ? '?' : character;
  }
  return clean;
}

/** RFC 6533 §3 utf-8-addr-xtext: `j\x{F6}rg`. */
function escaped(text: string): string {
  let ascii = '';
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const isPlain = code > 0x20 && code < 0x7f && character !== '+' && character !== '=' && character !== '\\';
    if (ascii.length > ESCAPED_MAX) break;
    ascii += isPlain ? character : `\\x{${code.toString(16).toUpperCase()}}`;
  }
  return ascii;
}
