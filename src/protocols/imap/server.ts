// The IMAP door: a connection becomes a session.

import type { Duplex } from 'node:stream';
import type { ConnectionRecord } from '../../net/connection.ts';
import type { ImapDoor } from './door.ts';
import { ImapSession } from './session.ts';

/** Serves an accepted socket until it is closed. The server may end the session with close(). */
export function serveImap(door: ImapDoor, socket: Duplex, record: ConnectionRecord): ImapSession {
  const session = new ImapSession(door, socket, record);
  void session.converse();
  return session;
}
