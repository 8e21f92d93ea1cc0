// LIST and UIDL: a line for one message, or one for each that is not marked. RFC 1939 §5 §7

import { MULTI_LINE_END } from '../../wire/pop3/responses.ts';
import type { Pop3Conversation } from './conversation.ts';
import type { DropMessage } from './maildrop.ts';

/** Lines written before other connections have a turn. */
const PAGE_LINES = 500;

export async function listMessages(
  session: Pop3Conversation,
  number: number | undefined,
  value: (message: DropMessage) => string | number,
): Promise<void> {
  const { maildrop } = session;
  if (number !== undefined) return session.ok(`${number} ${value(maildrop.get(number))}`);
  session.ok(`${maildrop.count} messages (${maildrop.octets} octets)`);
  for (let from = 1; from <= maildrop.length && !session.gone; from += PAGE_LINES) {
    let text = '';
    for (let at = from; at < from + PAGE_LINES; at++) {
      const message = maildrop.find(at);
      if (message !== undefined) text += `${at} ${value(message)}\r\n`;
    }
    session.write(text);
    await session.breathe();
  }
  session.write(MULTI_LINE_END);
}
