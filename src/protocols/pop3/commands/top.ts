// TOP: the header, the blank line, and so many lines of the body. RFC 1939 §7

import type { Pop3Conversation } from '../conversation.ts';
import { sendMessage } from '../send-message.ts';

export function top(session: Pop3Conversation, message: number, lines: number): Promise<void> {
  return sendMessage(session, message, lines);
}
