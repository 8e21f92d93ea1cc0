// STLS: the connection goes on in TLS, and what USER said is forgotten. RFC 2595 §4
//
// Never  reads what stands behind it in the clear: a third party may have put it there

import { Failure } from '../../../base/failure.ts';
import type { Pop3Conversation } from '../conversation.ts';

export function stls(session: Pop3Conversation): Promise<void> | undefined {
  if (session.door.tls === undefined) throw new Failure('syntax', 'TLS is not offered here');
  if (session.record.tls !== undefined) throw new Failure('syntax', 'TLS is active already');
  if (session.waitingBytes > 0) {
    session.fail(new Failure('syntax', 'Nothing may be sent behind STLS'));
    session.close();
    return undefined;
  }
  session.ok('Begin TLS');
  return session.startTls();
}
