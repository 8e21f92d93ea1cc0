// The POP3 door: a connection becomes a session.

import type { Duplex } from 'node:stream';
import type { ConnectionRecord } from '../../net/connection.ts';
import type { Pop3Door } from './door.ts';
import { Pop3Session } from './session.ts';

/** Serves an accepted socket until it is closed. The server may end the session with shutDown(). */
export function servePop3(door: Pop3Door, socket: Duplex, record: ConnectionRecord): Pop3Session {
  const session = new Pop3Session(door, socket, record);
  void session.converse();
  return session;
}
