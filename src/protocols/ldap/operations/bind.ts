// Bind: from this request on the connection acts for the entry that it names, or is anonymous.
//
// Simple, in one request; SASL, in as many as the mechanism takes: a request of another kind of bind in between ends it.
// RFC 4511 §4.2, RFC 4513 §5.1, §5.2

import { asFailure } from '../../../base/failure.ts';
import type { Authentication, BindRequest } from '../../../wire/ldap/operations/bind.ts';
import { result } from '../../../wire/ldap/result.ts';
import type { LdapConversation, LdapFinal, LdapHandler } from '../conversation.ts';
import { failureResult } from '../errors.ts';

/** Anybody may send a name of 64 KiB. */
const LOGGED_NAME_MAX = 200;

type Simple = Extract<Authentication, { method: 'simple' }>;
type Sasl = Extract<Authentication, { method: 'sasl' }>;

export const bind: LdapHandler<BindRequest> = async (request, _operation, session) => {
  // RFC 4511 §4.2.1: the connection is anonymous until this bind has succeeded.
  session.login = undefined;
  const { name, version, authentication } = request;
  if (version !== 3) return { result: result('protocolError', 'Only version 3 is spoken here') };
  switch (authentication.method) {
    case 'simple':
      session.sasl = undefined;
      return bindSimply(session, name, authentication);
    case 'sasl':
      return bindBySasl(session, authentication);
    case 'unknown':
      session.sasl = undefined;
      return { result: result('authMethodNotSupported', 'There is no such authentication method') };
  }
};

async function bindSimply(session: LdapConversation, name: string, { password }: Simple): Promise<LdapFinal> {
  if (password.length === 0) {
    if (name === '') return { result: result('success') };
    // RFC 4513 §5.1.2: success would let programs that forget to ask for a password believe that it was right.
    return { result: result('unwillingToPerform', 'A name without a password is not authenticated') };
  }
  const { record, door } = session;
  if (name === '' && record.isPrivate) return { result: result('invalidCredentials', 'Authentication failed') };
  try {
    session.login = await door.logins.bind({ door: 'ldap', record }, name, password);
    return { result: result('success') };
  } catch (error) {
    return failed(session, name, error);
  }
}

async function bindBySasl(session: LdapConversation, { mechanism, credentials }: Sasl): Promise<LdapFinal> {
  const { record, door, sasl: pending } = session;
  session.sasl = undefined;
  const name = mechanism.toUpperCase();
  const goesOn = pending?.mechanism === name;
  const response = credentials === undefined ? (goesOn ? Buffer.alloc(0) : undefined) : Buffer.from(credentials);
  try {
    const exchange = goesOn ? pending.exchange : door.logins.saslBind({ door: 'ldap', record }, name);
    const step = await exchange.respond(response);
    const given = step.octets === undefined ? {} : { serverCredentials: step.octets };
    if (step.kind === 'success') session.login = step.login;
    else session.sasl = { mechanism: name, exchange };
    return { result: result(step.kind === 'success' ? 'success' : 'saslBindInProgress'), ...given };
  } catch (error) {
    return failed(session, name, error);
  }
}

function failed({ record, door }: LdapConversation, who: string, error: unknown): LdapFinal {
  const failure = asFailure(error);
  door.log.info('ldap.bind', { peer: record.peerAddress, as: who.slice(0, LOGGED_NAME_MAX), failure: failure.kind });
  if (failure.detail !== undefined) throw failure;
  if (failure.ldap === undefined && failure.kind === 'unsupported')
    return { result: result('authMethodNotSupported', failure.message) };
  if (failure.ldap === undefined && failure.kind === 'syntax')
    return { result: result('invalidCredentials', failure.message) };
  return { result: failureResult(failure) };
}
