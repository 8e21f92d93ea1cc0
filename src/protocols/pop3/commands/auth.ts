// AUTH: a SASL exchange, a line a step. RFC 5034 §4

import { exchangeLines } from '../../../auth/sasl/lines.ts';
import { SMTP_AUTH_LINE_BYTES } from '../../../base/limits.ts';
import { encodeContinuation } from '../../../wire/pop3/responses.ts';
import type { Pop3Conversation } from '../conversation.ts';
import { openMaildrop } from '../log-in.ts';

export async function authenticate(
  session: Pop3Conversation,
  mechanism: string,
  initial: string | undefined,
): Promise<void> {
  const login = await exchangeLines(session.door.logins.sasl(session.client, mechanism), initial, {
    challenge: (text) => session.write(encodeContinuation(text)),
    line: () => session.line(SMTP_AUTH_LINE_BYTES),
  });
  if (login !== undefined) await openMaildrop(session, login);
}
