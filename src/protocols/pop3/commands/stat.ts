// STAT: how many messages, how many octets, without those that are marked. RFC 1939 §5

import type { Pop3Conversation } from '../conversation.ts';

export function stat(session: Pop3Conversation): undefined {
  const { count, octets } = session.maildrop;
  session.ok(`${count} ${octets}`);
}
