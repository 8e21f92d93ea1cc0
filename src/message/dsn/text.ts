// The words of a report: what people read of it, and how texts of strangers become lines.
//
// In      what is known of each recipient; a host's words as they came
// Out     text in CRLF lines of at most 78 characters where words allow it
// Limits  DIAGNOSTIC_MAX of each text
// RFC 3464 §2.1.1, RFC 5322 §2.1.1

import { formatMailDate } from '../date.ts';
import { formatPath } from '../envelope.ts';
import { visible } from '../trace.ts';
import type { ReportedAction, ReportedRecipient } from './status.ts';

const DIAGNOSTIC_MAX = 500;

interface Explained {
  readonly hostname: string;
  readonly recipients: readonly ReportedRecipient[];
  readonly isUtf8: boolean;
  /** What is attached of the original. */
  readonly returns: 'header' | 'message' | undefined;
}

export function subjectOf(recipients: readonly ReportedRecipient[]): string {
  const has = (action: ReportedAction): boolean => recipients.some((recipient) => recipient.action === action);
  if (has('failed')) return 'Your message could not be delivered';
  if (has('delayed')) return 'Your message is delayed';
  return has('relayed') || has('expanded') ? 'Your message has been sent on' : 'Your message has been delivered';
}

const INTRODUCTIONS: readonly (readonly [ReportedAction, readonly string[]])[] = [
  ['failed', ['Your message could not be delivered to the recipients below, and it will not be', 'tried again.']],
  [
    'delayed',
    [
      'Your message has not been delivered yet to the recipients below. It will be',
      'tried again; you need not do anything.',
    ],
  ],
  ['delivered', ['Your message has been delivered to the recipients below.']],
  [
    'relayed',
    [
      'Your message has been sent on for the recipients below, to a host that reports',
      'no success: you will not be told when it is delivered.',
    ],
  ],
  [
    'expanded',
    [
      'Your message has been sent on to those whom the addresses below stand for. You',
      'will not be told when it is delivered to each of them.',
    ],
  ],
];

export function explanation({ hostname, recipients, isUtf8, returns }: Explained): string {
  const text = [`This is the mail system at ${visible(hostname)}.`, ''];
  for (const [action, introduction] of INTRODUCTIONS) {
    const own = recipients.filter((recipient) => recipient.action === action);
    if (own.length > 0) text.push(...introduction, '', ...own.flatMap((recipient) => recipientText(recipient, isUtf8)));
  }
  if (returns !== undefined) text.push(`${RETURNED[returns]} is attached.`, '');
  return lines(...text);
}

const RETURNED = { header: 'The header of your message', message: 'Your message' };

function recipientText(recipient: ReportedRecipient, isUtf8: boolean): string[] {
  const { address, original, action, remoteMta, diagnostic, status, willRetryUntil } = recipient;
  const shown = (text: string): string => (isUtf8 ? withoutBreaks(text) : oneLine(text));
  const path = formatPath(address);
  const isOther = original !== undefined && `<${original.address}>` !== path;
  const alias = isOther ? `(you wrote to ${shown(original.address)})` : '';
  const text = wrap(`${shown(path)} ${alias}`.trimEnd(), '  ');
  const said = remoteMta === undefined ? '' : `The host ${oneLine(remoteMta)} said: `;
  const isTold = action !== 'delivered' && action !== 'expanded';
  if (isTold) text.push(...wrap(`${said}${oneLine(diagnostic)} (${visible(status)})`, '    '));
  if (willRetryUntil !== undefined) text.push(`    It is tried until ${formatMailDate(willRetryUntil)}.`);
  text.push('');
  return text;
}

export function lines(...list: readonly (string | undefined)[]): string {
  let text = '';
  for (const line of list) if (line !== undefined) text += `${line}\r\n`;
  return text;
}

/** A remote host's words as one bounded line: breaks and spaces become one space, what is not ASCII a `?`. */
export function oneLine(text: string): string {
  return visible(withoutBreaks(text));
}

/** As oneLine, but in Unicode. */
export function withoutBreaks(text: string): string {
  const line = text
    .slice(0, DIAGNOSTIC_MAX * 2)
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim();
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
