// The whole of LDAP's opinion about failures. RFC 4511 appendix A
//
// A failure of the directory names its result itself (directory/failure.ts); the table is for all others.

import type { Failure, FailureKind } from '../../base/failure.ts';
import { type LdapResult, result } from '../../wire/ldap/result.ts';
import type { LdapResultName } from '../../wire/ldap/result-codes.ts';

export const LDAP_FAILURE = {
  // What came over the wire was read already (its failures end the connection): here a value is meant.
  syntax: 'invalidAttributeSyntax',
  invalid: 'constraintViolation',
  'not-found': 'noSuchObject',
  exists: 'entryAlreadyExists',
  'not-empty': 'notAllowedOnNonLeaf',
  denied: 'insufficientAccessRights',
  unauthenticated: 'invalidCredentials',
  'read-only': 'unwillingToPerform',
  'too-large': 'adminLimitExceeded',
  'too-many': 'adminLimitExceeded',
  'over-quota': 'adminLimitExceeded',
  conflict: 'busy',
  unsupported: 'unwillingToPerform',
  full: 'unavailable',
  unavailable: 'unavailable',
} as const satisfies Record<FailureKind, LdapResultName>;

export function failureResult(failure: Failure): LdapResult {
  const { ldap } = failure;
  return result(ldap?.name ?? LDAP_FAILURE[failure.kind], failure.message, ldap?.matchedDn);
}
