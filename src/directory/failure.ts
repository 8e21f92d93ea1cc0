// The directory's failures: each carries the LDAP result name that says precisely what is wrong.
//
// The name travels in Failure.data, so it survives the way from the writer's thread. The LDAP door turns the name into its
// code; every other door looks at the kind alone.
// RFC 4511 §4.1.9, Appendix A

import { Failure, type FailureKind } from '../base/failure.ts';

/** The result each failure of the directory has, and the kind that other doors see. */
const KIND_OF = {
  timeLimitExceeded: 'unavailable',
  sizeLimitExceeded: 'too-many',
  adminLimitExceeded: 'too-many',
  noSuchAttribute: 'not-found',
  undefinedAttributeType: 'invalid',
  inappropriateMatching: 'invalid',
  constraintViolation: 'invalid',
  attributeOrValueExists: 'exists',
  invalidAttributeSyntax: 'invalid',
  noSuchObject: 'not-found',
  invalidDnSyntax: 'syntax',
  invalidCredentials: 'unauthenticated',
  insufficientAccessRights: 'denied',
  busy: 'unavailable',
  unavailable: 'unavailable',
  unwillingToPerform: 'unsupported',
  namingViolation: 'invalid',
  objectClassViolation: 'invalid',
  notAllowedOnNonLeaf: 'not-empty',
  notAllowedOnRdn: 'invalid',
  entryAlreadyExists: 'exists',
  affectsMultipleDSAs: 'unsupported',
} as const satisfies Record<string, FailureKind>;

export type DirectoryResult = keyof typeof KIND_OF;

export interface DirectoryFailureOptions {
  /** The nearest superior that exists, with `noSuchObject`. */
  readonly matchedDn?: string;
  readonly detail?: string;
}

export function directoryFailure(
  result: DirectoryResult,
  publicText: string,
  options: DirectoryFailureOptions = {},
): Failure {
  return new Failure(KIND_OF[result], publicText, {
    data: options.matchedDn === undefined ? { ldap: result } : { ldap: result, matchedDn: options.matchedDn },
    ...(options.detail === undefined ? {} : { detail: options.detail }),
  });
}

/** The LDAP result name of a failure; undefined when the directory did not make it. */
export function directoryResultOf(failure: Failure): DirectoryResult | undefined {
  const result = failure.data?.['ldap'];
  return result !== undefined && Object.hasOwn(KIND_OF, result) ? (result as DirectoryResult) : undefined;
}

/** The matchedDN of a failure, '' when it has none. */
export function matchedDnOf(failure: Failure): string {
  return failure.data?.['matchedDn'] ?? '';
}
