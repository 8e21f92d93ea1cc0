// The SMTP door: a connection becomes a session.

import type { Duplex } from 'node:stream';
import type { ConnectionRecord } from '../../net/connection.ts';
import type { SmtpDoor } from './door.ts';
import { SmtpSession } from './session.ts';

/** Serves an accepted socket until it is closed. The server may end the session with shutDown(). */
export function serveSmtp(door: SmtpDoor, socket: Duplex, record: ConnectionRecord): SmtpSession {
  const session = new SmtpSession(door, socket, record);
  void session.converse();
  return session;
}
