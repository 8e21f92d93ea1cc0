// The LDAP door: a connection becomes a session.

import type { Duplex } from 'node:stream';
import type { ConnectionRecord } from '../../net/connection.ts';
import type { LdapDoor } from './door.ts';
import { handlers, type LdapHandlers } from './handlers.ts';
import { LdapSession } from './session.ts';

/** Serves an accepted socket until it is closed. The server may end the session with shutDown(). */
export function serveLdap(
  door: LdapDoor,
  socket: Duplex,
  record: ConnectionRecord,
  by: LdapHandlers = handlers,
): LdapSession {
  const session = new LdapSession(door, socket, record, by);
  void session.converse();
  return session;
}
