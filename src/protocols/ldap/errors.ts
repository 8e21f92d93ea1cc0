// How LDAP reports every failure. RFC 4511 appendix A
//
// A failure of the directory names its result itself (directory/failure.ts); the table is for all others.

import type { Failure, FailureKind } from '../../base/failure.ts';
import { type LdapResult, result } from '../../wire/ldap/result.ts';
import type { LdapResultName } from '../../wire/ldap/result-codes.ts';

const LDAP_FAILURE = {
  // Messages have been parsed before this (a message that is no LDAP ends the connection): the failure is of a value.
  syntax: 'invalidAttributeSyntax',
  invalid: 'constraintViolation',
  'not-found': 'noSuchObject',
  exists: 'entryAlreadyExists',
  'not-empty': 'notAllowedOnNonLeaf',
  denied: 'insufficientAccessRights',
  unauthenticated: 'invalidCredentials',
  'not-private': 'confidentialityRequired',
  throttled: 'busy',
  'read-only': 'unwillingToPerform',
  'too-large': 'adminLimitExceeded',
  'too-many': 'adminLimitExceeded',
  'over-quota': 'adminLimitExceeded',
  conflict: 'busy',
  unsupported: 'unwillingToPerform',
  full: 'unavailable',
  damaged: 'other',
  unavailable: 'unavailable',
} as const satisfies Record<FailureKind, LdapResultName>;

export function failureResult(failure: Failure): LdapResult {
  const { ldap } = failure;
  const plain = result(ldap?.name ?? LDAP_FAILURE[failure.kind], failure.message, ldap?.matchedDn);
  return ldap?.referral === undefined ? plain : { ...plain, referral: ldap.referral };
}
