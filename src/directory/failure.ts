// The directory's failures: each carries the LDAP result name that says precisely what is wrong.
//
// The LDAP door turns the name into its code; every other door looks at the kind alone.
// RFC 4511 §4.1.9, Appendix A

import type { DirectoryResult, DirectoryResultName } from '../base/directory-result.ts';
import { Failure, type FailureKind } from '../base/failure.ts';

/** The result each failure of the directory has, and the kind that other doors see. */
const KIND_OF = {
  timeLimitExceeded: 'unavailable',
  sizeLimitExceeded: 'too-many',
  adminLimitExceeded: 'too-many',
  referral: 'not-found',
  noSuchAttribute: 'not-found',
  undefinedAttributeType: 'invalid',
  inappropriateMatching: 'invalid',
  constraintViolation: 'invalid',
  attributeOrValueExists: 'exists',
  invalidAttributeSyntax: 'invalid',
  noSuchObject: 'not-found',
  aliasProblem: 'not-found',
  invalidDnSyntax: 'syntax',
  invalidCredentials: 'unauthenticated',
  strongerAuthRequired: 'unauthenticated',
  insufficientAccessRights: 'denied',
  busy: 'unavailable',
  unavailable: 'unavailable',
  unwillingToPerform: 'unsupported',
  namingViolation: 'invalid',
  objectClassViolation: 'invalid',
  notAllowedOnNonLeaf: 'not-empty',
  notAllowedOnRdn: 'invalid',
  entryAlreadyExists: 'exists',
  objectClassModsProhibited: 'invalid',
  affectsMultipleDSAs: 'unsupported',
  assertionFailed: 'conflict',
  authorizationDenied: 'denied',
} as const satisfies Record<DirectoryResultName, FailureKind>;

export function isDirectoryResult(name: string): name is DirectoryResultName {
  return Object.hasOwn(KIND_OF, name);
}

/** `matchedDn` is the nearest superior that exists, with `noSuchObject`; what is in the way, with `aliasProblem` and `referral`. */
export function directoryFailure(
  name: DirectoryResultName,
  publicText: string,
  options: Omit<DirectoryResult, 'name'> & { readonly detail?: string } = {},
): Failure {
  const { detail, ...more } = options;
  return new Failure(KIND_OF[name], publicText, {
    ldap: { name, ...more },
    ...(detail === undefined ? {} : { detail }),
  });
}
