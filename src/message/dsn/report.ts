// The report to a sender on what became of a message: multipart/report with a delivery status.
//
// In      values of the queue; texts of remote hosts and the original are taken as hostile
// Out     a whole message, and what its envelope must say of its bytes; its null sender is the caller's affair
// Parts   words for people (text.ts), fields for programs (status.ts), the original or its header
// Limits  recipients as the caller gives them; HEADER_MAX, what is in text.ts
// A header that is not clean 7-bit text goes as quoted-printable, which RFC 3462 §3 provides for: with 8bit, a host without
// 8BITMIME would refuse the report. A whole message goes as it is: it is converted there (channels/converted.ts).
// Only a sender who uses SMTPUTF8 gets the types of RFC 6533, and only where something goes beyond ASCII.
// RFC 3464, RFC 3461 §6, RFC 3462, RFC 3834 §5, RFC 5321 §6.1, RFC 6533

import { isAscii } from 'node:buffer';
import type { Address } from '../address.ts';
import { formatMailDate } from '../date.ts';
import { type BodyKind, formatPath } from '../envelope.ts';
import { type Header, parseHeader } from '../header.ts';
import { encodeQuotedPrintable } from '../quoted-printable.ts';
import { visible } from '../trace.ts';
import { type ReportedRecipient, statusFields } from './status.ts';
import { explanation, lines, subjectOf, withoutBreaks } from './text.ts';

export interface DeliveryReport {
  /** This host, the reporting MTA. */
  readonly hostname: string;
  /** The site postmaster, who the report is from. */
  readonly postmaster: Address;
  /** The sender of the original, or for a failed report the site postmaster. */
  readonly to: Address;
  /** Of the report itself: makes its Message-ID and the boundary. */
  readonly id: string;
  readonly at: number;
  /** Queue id of the original. */
  readonly originalId: string;
  /** Message-ID of the original, without angle brackets. */
  readonly originalMessageId: string | undefined;
  /** What the sender called the transaction, ENVID. */
  readonly envelopeId: string | undefined;
  /** The host that brought the original: its name in HELO, and its address in brackets. */
  readonly receivedFrom: string | undefined;
  readonly arrivedAt: number;
  /** The original, or its beginning with the header; undefined: nothing of it is returned. */
  readonly original: { readonly kind: 'header' | 'message'; readonly bytes: Buffer } | undefined;
  /** The sender uses SMTPUTF8. */
  readonly mayUseUtf8: boolean;
  /** Of one kind: all have failed, or wait, or have succeeded. */
  readonly recipients: readonly ReportedRecipient[];
}

export interface BuiltReport {
  readonly bytes: Buffer;
  readonly body: BodyKind;
  /** It needs SMTPUTF8. */
  readonly isUtf8: boolean;
}

/** More header than this is no help to a reader. */
const HEADER_MAX = 65_536;
const LINE_MAX = 998;

export function buildDeliveryReport(report: DeliveryReport): BuiltReport {
  const isUtf8 = report.mayUseUtf8 && goesBeyondAscii(report);
  const returned = returnedPart(report, isUtf8);
  let boundary = `=_${visible(report.id)}`;
  while (returned?.content.includes(boundary) === true) boundary += '_';
  const words = explanation({ ...report, isUtf8, returns: returned?.kind });
  const fields = statusFields({ ...report, isUtf8 });
  const parts = [Buffer.from(`${textType(isUtf8)}\r\n${words}`), Buffer.from(`${statusType(isUtf8)}\r\n${fields}`)];
  if (returned !== undefined) parts.push(Buffer.concat([Buffer.from(`${returned.type}\r\n`), returned.content]));
  const delimited = parts.flatMap((part) => [Buffer.from(`--${boundary}\r\n`), part, Buffer.from('\r\n')]);
  const header = Buffer.from(`${reportHeader(report, { boundary, isUtf8 })}\r\n`);
  const bytes = Buffer.concat([header, ...delimited, Buffer.from(`--${boundary}--\r\n`)]);
  return { bytes, body: isAscii(bytes) ? '7BIT' : '8BITMIME', isUtf8 };
}

function goesBeyondAscii({ to, recipients, original }: DeliveryReport): boolean {
  const addresses = [
    to.localPart,
    ...recipients.flatMap((each) => [each.address.localPart, each.original?.address ?? '']),
  ];
  return !addresses.every((text) => visible(text) === text) || !isAscii(headBytes(original?.bytes));
}

function headBytes(bytes: Buffer | undefined): Buffer {
  return bytes === undefined ? Buffer.alloc(0) : Buffer.from(headerText(parseHeader(bytes)), 'latin1');
}

function reportHeader(report: DeliveryReport, { boundary, isUtf8 }: { boundary: string; isUtf8: boolean }): string {
  const original = safeMessageId(report.originalMessageId);
  const to = formatPath(report.to);
  return lines(
    `From: Mail Delivery System ${visible(formatPath(report.postmaster))}`,
    `To: ${isUtf8 ? withoutBreaks(to) : visible(to)}`,
    `Subject: ${subjectOf(report.recipients)}`,
    `Date: ${formatMailDate(report.at)}`,
    `Message-ID: <${visible(report.id)}@${visible(report.hostname)}>`,
    original && `In-Reply-To: ${original}`,
    original && `References: ${original}`,
    'Auto-Submitted: auto-replied',
    'MIME-Version: 1.0',
    `Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="${boundary}"`,
  );
}

function safeMessageId(id: string | undefined): string | undefined {
  return id === undefined || id !== visible(id) || /^$|[\s<>]/.test(id) || id.length > 900 ? undefined : `<${id}>`;
}

function textType(isUtf8: boolean): string {
  if (!isUtf8) return 'Content-Type: text/plain; charset=us-ascii\r\n';
  return `Content-Type: text/plain; charset=utf-8\r\n${EIGHT_BIT}`;
}

function statusType(isUtf8: boolean): string {
  if (!isUtf8) return 'Content-Type: message/delivery-status\r\n';
  return `Content-Type: message/global-delivery-status\r\n${EIGHT_BIT}`;
}

const EIGHT_BIT = 'Content-Transfer-Encoding: 8bit\r\n';

interface ReturnedPart {
  readonly kind: 'header' | 'message';
  /** Its header, without the empty line. */
  readonly type: string;
  readonly content: Buffer;
}

function returnedPart({ original }: DeliveryReport, isUtf8: boolean): ReturnedPart | undefined {
  if (original === undefined) return undefined;
  const { kind, bytes } = original;
  const head = headBytes(bytes);
  const lined = linesOf(bytes);
  // One with a bare line feed, a NUL or an endless line cannot be sent: its header can.
  if (kind === 'message' && lined !== 'unclean') {
    const type = isUtf8 && !isAscii(head) ? 'message/global' : 'message/rfc822';
    return { kind, type: `Content-Type: ${type}\r\n${lined === 'ascii' ? '' : EIGHT_BIT}`, content: bytes };
  }
  const type = isUtf8 ? 'message/global-headers' : 'text/rfc822-headers';
  const headLines = linesOf(head);
  if (headLines === 'ascii') return { kind: 'header', type: `Content-Type: ${type}\r\n`, content: head };
  if (headLines === 'eight-bit' && isUtf8)
    return { kind: 'header', type: `Content-Type: ${type}\r\n${EIGHT_BIT}`, content: head };
  const encoded = `Content-Type: ${type}${isUtf8 ? '' : '; charset=utf-8'}\r\nContent-Transfer-Encoding: quoted-printable\r\n`;
  return { kind: 'header', type: encoded, content: encodeQuotedPrintable(head) };
}

/** The fields as they stand, as many as HEADER_MAX holds: neither the empty line nor lines that are no field. */
function headerText(header: Header): string {
  let text = '';
  for (const { name, start, end } of header.fields) {
    if (name === '') continue;
    if (text.length + end - start > HEADER_MAX) break;
    text += header.text.slice(start, end);
  }
  return text === '' || text.endsWith('\n') ? text : `${text}\r\n`;
}

/** CRLF lines of legal length without controls, fit for 7bit or for 8bit; else `unclean`. */
function linesOf(bytes: Buffer): 'ascii' | 'eight-bit' | 'unclean' {
  let lineStart = 0;
  let isAsciiOnly = true;
  for (let at = 0; at < bytes.length; at++) {
    const octet = bytes[at]!;
    if (octet === 0 || octet === 0x7f) return 'unclean';
    if (octet > 0x7f) isAsciiOnly = false;
    if (octet === 0x0a && bytes[at - 1] !== 0x0d) return 'unclean';
    if (octet === 0x0d && bytes[at + 1] !== 0x0a) return 'unclean';
    if (octet === 0x0a) lineStart = at + 1;
    else if (octet !== 0x0d && at - lineStart >= LINE_MAX) return 'unclean';
  }
  return isAsciiOnly ? 'ascii' : 'eight-bit';
}
