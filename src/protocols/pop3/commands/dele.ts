// DELE: marked now, removed by QUIT. RFC 1939 §5

import type { Pop3Conversation } from '../conversation.ts';

export function dele(session: Pop3Conversation, message: number): undefined {
  session.maildrop.mark(message);
  session.ok(`Message ${message} is removed at QUIT`);
}
