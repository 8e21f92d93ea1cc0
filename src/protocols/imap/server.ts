// The IMAP door: a connection becomes a session.

import type { Socket } from 'node:net';
import type { ConnectionRecord } from '../../net/connection.ts';
import type { ImapDoor } from './door.ts';
import { ImapSession } from './session.ts';

/** Serves an accepted socket until it is closed. The server may end the session with close(). */
export function serveImap(door: ImapDoor, socket: Socket, connection: ConnectionRecord): ImapSession {
  socket.setNoDelay(true);
  const session = new ImapSession(socket, connection, door);
  void session.converse();
  return session;
}
