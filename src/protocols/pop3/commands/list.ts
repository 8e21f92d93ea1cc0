// LIST: sizes. RFC 1939 §5, §11

import type { Pop3Conversation } from '../conversation.ts';
import { listMessages } from '../listing.ts';

export function list(session: Pop3Conversation, message: number | undefined): Promise<void> {
  return listMessages(session, message, ({ size }) => size);
}
