// Extended operations: StartTLS is the one that there is.
//
// Order   order.ts: all earlier operations are answered before, and nothing is read until the handshake has ended
// Login   StartTLS behind a bind is refused, and makes the connection anonymous: RFC 4513 §3.1.5 leaves the choice
// Never   reads what stands behind StartTLS in the clear: a third party may have put it there
// RFC 4511 §4.12 §4.14, RFC 4513 §3.1

import { type ExtendedRequest, START_TLS } from '../../../wire/ldap/operations/extended.ts';
import { result } from '../../../wire/ldap/result.ts';
import type { LdapConversation, LdapFinal, LdapHandler } from '../conversation.ts';

export const extended: LdapHandler<ExtendedRequest> = async (request, _operation, session) =>
  request.name === START_TLS && session.door.tls !== undefined
    ? startTls(request, session)
    : { result: result('protocolError', `Extended operation ${request.name} is not supported`) };

function startTls({ value }: ExtendedRequest, session: LdapConversation): LdapFinal {
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
}

function refused(why: string): LdapFinal {
  return { result: result('operationsError', why), name: START_TLS };
}
