// Bind: from this request on the connection acts for the entry that it names, or is anonymous.
//
// RFC 4511 §4.2, RFC 4513 §5.1

import { asFailure } from '../../../base/failure.ts';
import type { BindRequest } from '../../../wire/ldap/operations/bind.ts';
import { type LdapResult, result } from '../../../wire/ldap/result.ts';
import type { LdapConversation, LdapHandler } from '../conversation.ts';
import { failureResult } from '../errors.ts';

export const bind: LdapHandler<BindRequest> = async (request, _operation, session) => ({
  result: await bound(request, session),
});

async function bound(request: BindRequest, session: LdapConversation): Promise<LdapResult> {
  // RFC 4511 §4.2.1: the connection is anonymous until this bind has succeeded.
  session.login = undefined;
  const { name, authentication } = request;
  if (request.version !== 3) return result('protocolError', 'Only version 3 is spoken here');
  if (authentication.method !== 'simple')
    return result('authMethodNotSupported', 'Only the simple authentication method is supported');
  const { password } = authentication;
  if (password.length === 0) {
    if (name === '') return result('success');
    // RFC 4513 §5.1.2: success would let programs that forget to ask for a password believe that it was right.
    return result('unwillingToPerform', 'A name without a password is not authenticated');
  }
  const { record, door } = session;
  if (name === '' && record.isPrivate) return result('invalidCredentials', 'Authentication failed');
  try {
    session.login = await door.logins.bind({ door: 'ldap', record }, name, password);
    return result('success');
  } catch (error) {
    const failure = asFailure(error);
    door.log.info('ldap.bind', { peer: record.peerAddress, dn: name, failure: failure.kind });
    if (failure.detail !== undefined) throw failure;
    return failureResult(failure);
  }
}
