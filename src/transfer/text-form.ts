// The text form of a queued message: its envelope as lines, a line of two CTRL-A, then the message byte for byte.
//
//   MAIL FROM:<ann@acme.example> BODY=8BITMIME
//   RCPT TO:<bob@remote.example>
//   X-Id: 2M9QFJ1XK
//   X-Arrived: 2026-12-01T08:00:00.000Z
//   X-Login: ann@acme.example
//   X-Channel: smtp
//   ^A^A
//   Subject: ...
//
// In      an envelope and what is known of its way
// Out     lines that end in CRLF
// RFC 5321 §4.1.1.2 §4.1.1.3

import { type Envelope, formatPath, type Recipient } from '../message/envelope.ts';

const BOUNDARY = '\x01\x01';

export interface TextForm {
  readonly envelope: Envelope;
  /** The queue id that the message had. */
  readonly id?: string;
  /** Epoch ms: when it came. */
  readonly arrivedAt?: number;
  /** Who had logged in, for people. */
  readonly login?: string;
  /** The name of the channel on which it waited. */
  readonly channel?: string;
}

/** To the boundary, with it. */
export function writeTextHead({ envelope, id, arrivedAt, login, channel }: TextForm): Buffer {
  const lines = [mailLine(envelope), ...envelope.recipients.map(recipientLine)];
  const say = (name: string, value: string | undefined): void => {
    if (value !== undefined) lines.push(`${name}: ${oneLine(value)}`);
  };
  say('X-Id', id);
  say('X-Arrived', arrivedAt === undefined ? undefined : new Date(arrivedAt).toISOString());
  say('X-Login', login);
  say('X-Channel', channel);
  lines.push(BOUNDARY, '');
  return Buffer.from(lines.join('\r\n'), 'utf8');
}

function mailLine({ sender, body }: Envelope): string {
  return `MAIL FROM:${formatPath(sender)}${body === '7BIT' ? '' : ` BODY=${body}`}`;
}

function recipientLine({ address }: Recipient): string {
  return `RCPT TO:${formatPath(address)}`;
}

/** A directory may hold any text. */
function oneLine(value: string): string {
  let clean = '';
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    clean += code < 0x20 || code === 0x7f ? '?' : value.charAt(at);
  }
  return clean;
}
