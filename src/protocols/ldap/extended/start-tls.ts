// StartTLS: the handshake follows the response.
//
// Order   order.ts: all earlier operations are answered before, and nothing is read until the handshake has ended
// Login   behind a bind it is refused, and makes the connection anonymous: RFC 4513 §3.1.5 leaves the choice
// Never   reads what stands behind it in the clear: a third party may have put it there
// RFC 4511 §4.14, RFC 4513 §3.1

import { type ExtendedRequest, START_TLS } from '../../../wire/ldap/operations/extended.ts';
import { result } from '../../../wire/ldap/result.ts';
import type { LdapFinal, LdapHandler } from '../conversation.ts';

export const startTlsRequest: LdapHandler<ExtendedRequest> = async ({ value }, _operation, session) => {
  // RFC 4511 §4.14.1
  if (value !== undefined) return refused('StartTLS has no value');
  if (session.record.tls !== undefined) return refused('TLS is active already');
  if (session.waitingBytes > 0) return { ...refused('Nothing may be sent behind StartTLS'), next: 'end' };
  if (session.login !== undefined) {
    session.login = undefined;
    return refused('You are authenticated already, and anonymous from now on');
  }
  // A SASL bind that is under way has been begun in the clear.
  session.sasl = undefined;
  return { result: result('success'), name: START_TLS, next: 'tls' };
};

function refused(why: string): LdapFinal {
  return { result: result('operationsError', why), name: START_TLS };
}
