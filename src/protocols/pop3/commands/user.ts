// USER: a name, whether anybody has it or not. RFC 1939 §7

import type { Pop3Conversation } from '../conversation.ts';
import { requirePrivacy } from '../log-in.ts';

export function user(session: Pop3Conversation, name: string): undefined {
  requirePrivacy(session);
  session.name = name;
  session.ok('Now the password');
}
