// The POP3 door: a connection becomes a session.

import type { Socket } from 'node:net';
import type { ConnectionRecord } from '../../net/connection.ts';
import type { Pop3Door } from './door.ts';
import { Pop3Session } from './session.ts';

/** Serves an accepted socket until it is closed. The server may end the session with shutDown(). */
export function servePop3(door: Pop3Door, socket: Socket, connection: ConnectionRecord): Pop3Session {
  const session = new Pop3Session(socket, connection, door);
  void session.converse();
  return session;
}
