// USER: a name, whether anybody has it or not. RFC 1939 §7

import { requirePrivacy } from '../../../auth/attempt.ts';
import type { Pop3Conversation } from '../conversation.ts';

export function user(session: Pop3Conversation, name: string): undefined {
  requirePrivacy(session.client);
  session.name = name;
  session.ok('Now the password');
}
