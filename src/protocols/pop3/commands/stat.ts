// STAT: how many messages, how many octets, without those that are marked. RFC 1939 §5

import type { Pop3Session } from '../session.ts';

export function stat(session: Pop3Session): void {
  const { count, octets } = session.maildrop;
  session.ok(`${count} ${octets}`);
}
