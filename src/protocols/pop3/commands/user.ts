// USER: a name, whether anybody has it or not. RFC 1939 §7

import { requirePrivacy } from '../log-in.ts';
import type { Pop3Session } from '../session.ts';

export function user(session: Pop3Session, name: string): void {
  requirePrivacy(session);
  session.name = name;
  session.ok('Now the password');
}
