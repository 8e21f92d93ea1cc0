// STARTTLS: the connection goes on in TLS, and all that was said before is forgotten, EHLO too. RFC 3207 §4
//
// Never  reads what stands behind it in the clear: RFC 3207 §6, a third party may have put it there

import type { SmtpConversation } from '../conversation.ts';

export function starttls(session: SmtpConversation): Promise<void> | undefined {
  if (session.door.tls === undefined) return session.error(502, '5.5.1', 'TLS is not offered here');
  if (session.record.tls !== undefined) return session.error(503, '5.5.1', 'TLS is active already');
  if (session.login !== undefined) return session.error(503, '5.5.1', 'You are authenticated already');
  if (session.framer.waitingBytes > 0) return session.close(554, '5.5.0', 'Nothing may be sent behind STARTTLS');
  session.reply(220, '2.0.0', 'Begin TLS');
  return session.startTls();
}
