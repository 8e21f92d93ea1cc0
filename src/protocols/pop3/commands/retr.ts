// RETR: a whole message. RFC 1939 §5

import { sendMessage } from '../send-message.ts';
import type { Pop3Session } from '../session.ts';

export function retr(session: Pop3Session, message: number): Promise<void> {
  return sendMessage(session, message);
}
