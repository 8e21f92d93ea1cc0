// What PASS and every mechanism of AUTH end in: the maildrop is locked and read, or nothing has happened.
// RFC 1939 §4, RFC 2449 §8.1.1, RFC 3206 §4

import type { MailLogin } from '../../auth/login-directory.ts';
import type { StandingLogin } from '../../auth/standing-login.ts';
import { Failure } from '../../base/failure.ts';
import { LOGIN_IS_OVER } from '../../directory/caller.ts';
import type { Pop3Conversation } from './conversation.ts';
import { Maildrop } from './maildrop.ts';

export async function openMaildrop(session: Pop3Conversation, login: StandingLogin<MailLogin>): Promise<void> {
  const { door, record } = session;
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
