// UIDL: ids that outlive the session. RFC 1939 §7

import { listMessages } from '../listing.ts';
import type { Pop3Session } from '../session.ts';

export function uidl(session: Pop3Session, message: number | undefined): Promise<void> {
  const { maildrop } = session;
  return listMessages(session, message, (one) => maildrop.uniqueId(one));
}
