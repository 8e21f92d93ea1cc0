// PASS, behind USER. RFC 1939 §7

import { Failure } from '../../../base/failure.ts';
import type { Pop3Conversation } from '../conversation.ts';
import { logIn } from '../log-in.ts';

export function pass(session: Pop3Conversation, password: string): Promise<void> {
  const { name } = session;
  if (name === undefined) throw new Failure('syntax', 'USER first');
  session.name = undefined;
  return logIn(session, Buffer.from(name, 'latin1').toString('utf8'), Buffer.from(password, 'latin1'));
}
