// RETR: a whole message. RFC 1939 §5

import type { Pop3Conversation } from '../conversation.ts';
import { sendMessage } from '../send-message.ts';

export function retr(session: Pop3Conversation, message: number): Promise<void> {
  return sendMessage(session, message);
}
