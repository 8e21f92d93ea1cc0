// For whom an operation with proxied authorization is carried out.
//
// In      who has bound, and the authorization identity that the control names
// Out     the caller of the operation; or `authorizationDenied`
// Never   makes anybody the administrator who is not
// RFC 4370 §4, RFC 4513 §5.2.1.8

import { mayProxy } from '../../directory/access/may-proxy.ts';
import { ANONYMOUS, type Caller } from '../../directory/caller.ts';
import { directoryFailure } from '../../directory/failure.ts';
import type { LdapConversation } from './conversation.ts';

/** `isHandedOn`: of a list of changes. */
export function callerProxiedBy(
  bound: Caller,
  { identity, isHandedOn }: { readonly identity: string; readonly isHandedOn: boolean },
  session: LdapConversation,
): Caller {
  if (!identityHasPrefix(identity)) throw denied('The identity is dn: and a name, or u: and an address');
  const { door, record } = session;
  const named =
    identity === '' || identity === 'dn:' ? ANONYMOUS : door.logins.callerNamed({ door: 'ldap', record }, identity);
  if (named === undefined || !mayProxy(door.reader, bound, named, isHandedOn))
    throw denied('You may not act for this identity');
  return named;
}

function identityHasPrefix(identity: string): boolean {
  return identity === '' || identity.startsWith('dn:') || identity.startsWith('u:');
}

function denied(text: string): Error {
  return directoryFailure('authorizationDenied', text);
}
