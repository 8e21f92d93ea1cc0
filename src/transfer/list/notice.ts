// What a moderator gets: a message that waits for a word, and where to send it; and that somebody has decided already.
//
// In      the list, the moderator, the two signed addresses, the message as far as it is shown
// Out     the bytes of a mail
// Never   names a signed address as Reply-To: an answer to the message decides nothing
// RFC 3834 §5, RFC 2046 §5.2.1

import { randomBytes } from 'node:crypto';
import { type Address, formatAddress } from '../../message/address.ts';
import { formatMailDate } from '../../message/date.ts';
import { visible } from '../../message/trace.ts';

const SUBJECT_MAX = 200;

export interface NoticeHead {
  readonly hostname: string;
  readonly id: string;
  readonly at: number;
  readonly list: Address;
  readonly to: Address;
}

export interface ModeratorQuestion {
  readonly subject: string;
  /** As SMTP writes it; `''` for the null sender. */
  readonly sender: string;
  readonly approve: Address;
  readonly refuse: Address;
  /** Of the message, from its beginning. */
  readonly shown: Buffer;
  readonly isWhole: boolean;
}

export function questionFor(head: NoticeHead, question: ModeratorQuestion): Buffer {
  const { sender, approve, refuse, shown, isWhole } = question;
  const boundary = `=_${randomBytes(16).toString('hex')}`;
  const list = visible(formatAddress(head.list));
  const text = [
    `A message to ${list} waits until one of its moderators agrees.`,
    '',
    `From: ${sender === '' ? 'nobody (a report)' : visible(sender)}`,
    '',
    'To let it go to the list, send any message, from this address of yours, to:',
    '',
    `    ${formatAddress(approve)}`,
    '',
    'To refuse it, send one to:',
    '',
    `    ${formatAddress(refuse)}`,
    '',
    'Who answers first decides. What you write is not read.',
    isWhole ? '' : 'Only the beginning of the message is below.',
    '',
  ];
  return Buffer.concat([
    Buffer.from(
      [
        ...fields(head, `For ${list}: ${visible(question.subject).slice(0, SUBJECT_MAX)}`),
        `Content-Type: multipart/mixed; boundary="${boundary}"`,
        '',
        `--${boundary}`,
        'Content-Type: text/plain; charset=us-ascii',
        '',
        ...text,
        `--${boundary}`,
        `Content-Type: ${isWhole ? 'message/rfc822' : 'text/plain'}`,
        ...(isWhole ? [] : ['Content-Description: The beginning of the message']),
        '',
        '',
      ].join('\r\n'),
    ),
    shown,
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ]);
}

export function doneAlready(head: NoticeHead): Buffer {
  const list = visible(formatAddress(head.list));
  const text = [
    `The message to ${list} waits no more: it was decided about already, or was taken out of the queue.`,
    '',
  ];
  const lines = [
    ...fields(head, `For ${list}: done already`),
    'Content-Type: text/plain; charset=us-ascii',
    '',
    ...text,
  ];
  return Buffer.from(lines.join('\r\n'));
}

function fields({ hostname, id, at, to }: NoticeHead, subject: string): string[] {
  return [
    `From: Mail system <postmaster@${hostname}>`,
    `To: <${formatAddress(to)}>`,
    `Subject: ${subject}`,
    `Date: ${formatMailDate(at)}`,
    `Message-ID: <${id}@${hostname}>`,
    'Auto-Submitted: auto-generated',
    'MIME-Version: 1.0',
  ];
}
