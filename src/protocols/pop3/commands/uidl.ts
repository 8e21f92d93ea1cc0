// UIDL: ids that outlive the session. RFC 1939 §7

import type { Pop3Conversation } from '../conversation.ts';
import { listMessages } from '../listing.ts';

export function uidl(session: Pop3Conversation, message: number | undefined): Promise<void> {
  const { maildrop } = session;
  return listMessages(session, message, (one) => maildrop.uniqueId(one));
}
