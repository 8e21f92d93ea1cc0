// The ENVELOPE of a message as IMAP sends it, made once when the message is accepted and stored as text.
//
// In      a header section
// Out     `(date subject from sender reply-to to cc bcc in-reply-to message-id)`, latin1, literals included
// Of a field that comes more than once the first counts. Encoded words stay as they are.
// RFC 3501 §7.4.2 ENVELOPE

import { type HeaderAddress, parseAddressList } from './addresses.ts';
import { fieldValue, type Header } from './header.ts';
import { imapNString } from './imap-string.ts';

/** What a message without any header field has. */
export const EMPTY_ENVELOPE = '(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)';

const ENVELOPE_FIELDS = [
  'date',
  'subject',
  'from',
  'sender',
  'reply-to',
  'to',
  'cc',
  'bcc',
  'in-reply-to',
  'message-id',
];
const placeOf: ReadonlyMap<string, number> = new Map(ENVELOPE_FIELDS.map((name, place) => [name, place]));

export function renderEnvelope(header: Header): string {
  const values: (string | undefined)[] = new Array(ENVELOPE_FIELDS.length).fill(undefined);
  for (const field of header.fields) {
    const place = placeOf.get(field.name);
    if (place !== undefined && values[place] === undefined) values[place] = fieldValue(header, field);
  }
  const [date, subject, from, sender, replyTo, to, cc, bcc, inReplyTo, messageId] = values;
  const author = renderAddresses(from);
  const senders = renderAddresses(sender);
  const replies = renderAddresses(replyTo);
  // RFC 3501 §7.4.2: the server fills in the absent or empty Sender and Reply-To from From.
  const origin = `${author} ${senders === 'NIL' ? author : senders} ${replies === 'NIL' ? author : replies}`;
  const destination = `${renderAddresses(to)} ${renderAddresses(cc)} ${renderAddresses(bcc)}`;
  const ids = `${imapNString(inReplyTo)} ${imapNString(messageId)}`;
  return `(${imapNString(date)} ${imapNString(subject)} ${origin} ${destination} ${ids})`;
}

function renderAddresses(value: string | undefined): string {
  if (value === undefined) return 'NIL';
  let text = '';
  for (const address of parseAddressList(value)) text += renderAddress(address);
  return text === '' ? 'NIL' : `(${text})`;
}

function renderAddress({ name, route, mailbox, host }: HeaderAddress): string {
  return `(${imapNString(name)} ${imapNString(route)} ${imapNString(mailbox)} ${imapNString(host)})`;
}
