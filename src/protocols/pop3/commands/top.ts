// TOP: the header, the blank line, and so many lines of the body. RFC 1939 §7

import { sendMessage } from '../send-message.ts';
import type { Pop3Session } from '../session.ts';

export function top(session: Pop3Session, message: number, lines: number): Promise<void> {
  return sendMessage(session, message, lines);
}
