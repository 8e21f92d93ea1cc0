// The report to a sender on what became of a message: multipart/report with a delivery status.
//
// In      values of the queue; texts of remote hosts and the original's header are taken as hostile
// Out     a whole message in 7-bit ASCII; its envelope has the null sender, which is the caller's affair
// Limits  recipients as the caller gives them; DIAGNOSTIC_MAX, HEADER_MAX
// The original is represented by its header only. One that is not clean 7-bit text goes as quoted-printable, which
// RFC 3462 §3 provides for: with 8bit, a host without 8BITMIME would refuse the report, and the sender would not get it.
// RFC 3464, RFC 3462, RFC 3834 §5, RFC 5321 §6.1

import { type Address, formatAddress } from './address.ts';
import { formatMailDate } from './date.ts';
import { formatPath } from './envelope.ts';
import { type Header, parseHeader } from './header.ts';
import { encodeQuotedPrintable } from './quoted-printable.ts';
import { visible } from './trace.ts';

export interface ReportedRecipient {
  readonly address: Address;
  /** As the sender wrote it, where that is known and differs. */
  readonly original: string | undefined;
  readonly action: 'failed' | 'delayed';
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
  readonly arrivedAt: number;
  /** The original's bytes, or their beginning with the header; undefined: nothing of it is returned. */
  readonly originalHead: Buffer | undefined;
  readonly recipients: readonly ReportedRecipient[];
}

const DIAGNOSTIC_MAX = 500;
/** More header than this is no help to a reader. */
const HEADER_MAX = 65_536;
const LINE_MAX = 998;

export function buildDeliveryReport(report: DeliveryReport): string {
  const header = report.originalHead === undefined ? undefined : headerText(parseHeader(report.originalHead));
  let boundary = `=_${visible(report.id)}`;
  while (header?.includes(boundary)) boundary += '_';
  const parts = [textPart(report, header !== undefined), statusPart(report)];
  if (header !== undefined) parts.push(headerPart(header));
  const delimited = parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('');
  return `${reportHeader(report, boundary)}\r\n${delimited}--${boundary}--\r\n`;
}

function reportHeader(report: DeliveryReport, boundary: string): string {
  const isFailure = report.recipients.some((recipient) => recipient.action === 'failed');
  const original = safeMessageId(report.originalMessageId);
  return lines(
    `From: Mail Delivery System ${visible(formatPath(report.postmaster))}`,
    `To: ${visible(formatPath(report.to))}`,
    `Subject: ${isFailure ? 'Your message could not be delivered' : 'Your message is delayed'}`,
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

function textPart(report: DeliveryReport, hasHeader: boolean): string {
  const failed = report.recipients.filter((recipient) => recipient.action === 'failed');
  const delayed = report.recipients.filter((recipient) => recipient.action === 'delayed');
  const text = [`This is the mail system at ${visible(report.hostname)}.`, ''];
  if (failed.length > 0) {
    text.push('Your message could not be delivered to the recipients below, and it will not be', 'tried again.', '');
    text.push(...failed.flatMap(explanation));
  }
  if (delayed.length > 0) {
    text.push(
      'Your message has not been delivered yet to the recipients below. It will be',
      'tried again; you need not do anything.',
      '',
    );
    text.push(...delayed.flatMap(explanation));
  }
  if (hasHeader) text.push('The header of your message is attached.', '');
  return lines('Content-Type: text/plain; charset=us-ascii', '', ...text);
}

function explanation(recipient: ReportedRecipient): string[] {
  const { address, original, remoteMta, diagnostic, status, willRetryUntil } = recipient;
  const alias = original === undefined ? '' : ` (you wrote to ${oneLine(original)})`;
  const text = [`  ${visible(formatPath(address))}${alias}`];
  const said = remoteMta === undefined ? '' : `The host ${oneLine(remoteMta)} said: `;
  text.push(...wrap(`${said}${oneLine(diagnostic)} (${visible(status)})`, '    '));
  if (willRetryUntil !== undefined) text.push(`    It is tried until ${formatMailDate(willRetryUntil)}.`);
  text.push('');
  return text;
}

function statusPart(report: DeliveryReport): string {
  const message = lines(
    `Reporting-MTA: dns; ${visible(report.hostname)}`,
    `X-Waypost-Queue-ID: ${visible(report.originalId)}`,
    `Arrival-Date: ${formatMailDate(report.arrivedAt)}`,
  );
  const recipients = report.recipients.map((recipient) => `\r\n${statusFields(recipient)}`).join('');
  return `Content-Type: message/delivery-status\r\n\r\n${message}${recipients}`;
}

function statusFields(recipient: ReportedRecipient): string {
  const { address, original, action, status, remoteMta, diagnostic, lastAttemptAt, willRetryUntil } = recipient;
  return lines(
    original === undefined ? undefined : `Original-Recipient: rfc822; ${oneLine(original)}`,
    `Final-Recipient: rfc822; ${visible(formatAddress(address))}`,
    `Action: ${action}`,
    `Status: ${visible(status)}`,
    remoteMta === undefined ? undefined : `Remote-MTA: dns; ${oneLine(remoteMta)}`,
    `Diagnostic-Code: ${remoteMta === undefined ? 'x-waypost' : 'smtp'}; ${oneLine(diagnostic)}`,
    lastAttemptAt === undefined ? undefined : `Last-Attempt-Date: ${formatMailDate(lastAttemptAt)}`,
    willRetryUntil === undefined ? undefined : `Will-Retry-Until: ${formatMailDate(willRetryUntil)}`,
  );
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

function headerPart(header: string): string {
  if (isPlainText(header)) return `Content-Type: text/rfc822-headers\r\n\r\n${header}`;
  const type = 'Content-Type: text/rfc822-headers; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable';
  return `${type}\r\n\r\n${encodeQuotedPrintable(Buffer.from(header, 'latin1')).toString('latin1')}`;
}

/** ASCII in CRLF lines of legal length: fit for 7bit. */
function isPlainText(text: string): boolean {
  let lineStart = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0 || code > 0x7e) return false;
    if (code === 0x0a && text.charCodeAt(at - 1) !== 0x0d) return false;
    if (code === 0x0d && text.charCodeAt(at + 1) !== 0x0a) return false;
    if (code === 0x0a) lineStart = at + 1;
    else if (at - lineStart > LINE_MAX) return false;
  }
  return true;
}

function lines(...list: readonly (string | undefined)[]): string {
  let text = '';
  for (const line of list) if (line !== undefined) text += `${line}\r\n`;
  return text;
}

/** A remote host's words as one bounded line: breaks and spaces become one space, what is not ASCII a `?`. */
function oneLine(text: string): string {
  const line = visible(
    text
      .slice(0, DIAGNOSTIC_MAX * 2)
      .replace(/[\0\s]+/g, ' ')
      .trim(),
  );
  return line.length > DIAGNOSTIC_MAX ? `${line.slice(0, DIAGNOSTIC_MAX)}...` : line;
}

function wrap(text: string, indent: string): string[] {
  const wrapped: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > 78) {
      wrapped.push(indent + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  wrapped.push(indent + line);
  return wrapped;
}
