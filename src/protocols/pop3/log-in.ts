// What PASS and every mechanism of AUTH end in: the maildrop is locked and read, or nothing has happened.
// RFC 1939 §4, RFC 2449 §8.1.1, RFC 3206 §4

import { Failure } from '../../base/failure.ts';
import { LOGIN_IS_OVER } from '../../directory/caller.ts';
import type { Pop3Conversation } from './conversation.ts';
import { Maildrop } from './maildrop.ts';

/** Before a password is on its way, where that can be helped. */
export function requirePrivacy(session: Pop3Conversation): void {
  if (!session.passwordsAllowed) throw new Failure('unauthenticated', 'Passwords are not taken in the clear');
}

export async function logIn(session: Pop3Conversation, name: string, password: Buffer): Promise<void> {
  requirePrivacy(session);
  const { door, record } = session;
  const login = await door.login(name, password, record.peerAddress);
  const account = login.now()?.account;
  if (account === undefined) throw new Failure('denied', LOGIN_IS_OVER);
  const unlock = await door.lockMaildrop(account, record.id);
  if (unlock === undefined) throw new Failure('conflict', 'Another session has this maildrop');
  try {
    session.open(login, await Maildrop.open(door.reader, account, () => session.breathe()), unlock);
  } catch (error) {
    await unlock();
    throw error;
  }
  session.ok(`${session.maildrop.count} messages (${session.maildrop.octets} octets)`);
}
