// The ENVELOPE of a message from what its header says. RFC 3501 §7.4.2
//
// Out     `(date subject from sender reply-to to cc bcc in-reply-to message-id)`, latin1, literals included

import type { HeaderAddress } from '../../../message/addresses.ts';
import type { HeaderValues } from '../../../message/header-values.ts';
import { encodeNString } from './strings.ts';

export function encodeEnvelope(header: HeaderValues): string {
  const [date, subject, from, sender, replyTo, to, cc, bcc, inReplyTo, messageId] = header;
  const author = encodeAddresses(from);
  // The server fills in the absent or empty Sender and Reply-To from From.
  const senders = sender === null || sender.length === 0 ? author : encodeAddresses(sender);
  const replies = replyTo === null || replyTo.length === 0 ? author : encodeAddresses(replyTo);
  const destination = `${encodeAddresses(to)} ${encodeAddresses(cc)} ${encodeAddresses(bcc)}`;
  const ids = `${encodeNString(inReplyTo)} ${encodeNString(messageId)}`;
  return `(${encodeNString(date)} ${encodeNString(subject)} ${author} ${senders} ${replies} ${destination} ${ids})`;
}

function encodeAddresses(list: readonly HeaderAddress[] | null): string {
  if (list === null || list.length === 0) return 'NIL';
  let text = '(';
  for (const [name, route, mailbox, host] of list)
    text += `(${encodeNString(name)} ${encodeNString(route)} ${encodeNString(mailbox)} ${encodeNString(host)})`;
  return `${text})`;
}
