// RSET: nothing is marked any more. RFC 1939 §5

import type { Pop3Session } from '../session.ts';

export function rset(session: Pop3Session): void {
  const { maildrop } = session;
  maildrop.unmarkAll();
  session.ok(`${maildrop.count} messages (${maildrop.octets} octets)`);
}
