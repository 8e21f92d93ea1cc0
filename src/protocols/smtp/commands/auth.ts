// AUTH: refused for now.

import type { SmtpCommand } from '../../../wire/smtp/commands.ts';
import type { SmtpSession } from '../session.ts';

type Auth = Extract<SmtpCommand, { verb: 'AUTH' }>;

export function authenticate(session: SmtpSession, _command: Auth): undefined {
  return session.error(504, '5.5.4', 'Mechanism not supported');
}
