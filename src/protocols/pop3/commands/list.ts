// LIST: sizes. RFC 1939 §5, §11

import { listMessages } from '../listing.ts';
import type { Pop3Session } from '../session.ts';

export function list(session: Pop3Session, message: number | undefined): Promise<void> {
  return listMessages(session, message, ({ size }) => size);
}
