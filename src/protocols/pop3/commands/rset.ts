// RSET: nothing is marked any more. RFC 1939 §5

import type { Pop3Conversation } from '../conversation.ts';

export function rset(session: Pop3Conversation): undefined {
  const { maildrop } = session;
  maildrop.unmarkAll();
  session.ok(`${maildrop.count} messages (${maildrop.octets} octets)`);
}
