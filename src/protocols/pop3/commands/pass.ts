// PASS, behind USER. RFC 1939 §7

import { Failure } from '../../../base/failure.ts';
import type { Pop3Conversation } from '../conversation.ts';
import { openMaildrop } from '../log-in.ts';

export async function pass(session: Pop3Conversation, password: string): Promise<void> {
  const { name } = session;
  if (name === undefined) throw new Failure('syntax', 'USER first');
  session.name = undefined;
  const login = Buffer.from(name, 'latin1').toString('utf8');
  await openMaildrop(session, await session.door.logins.login(session.client, login, Buffer.from(password, 'latin1')));
}
