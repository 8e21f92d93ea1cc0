// The results of LDAP that name precisely what the directory refuses. RFC 4511 §4.1.9, Appendix A

export type DirectoryResultName =
  | 'timeLimitExceeded'
  | 'sizeLimitExceeded'
  | 'adminLimitExceeded'
  | 'referral'
  | 'noSuchAttribute'
  | 'undefinedAttributeType'
  | 'inappropriateMatching'
  | 'constraintViolation'
  | 'attributeOrValueExists'
  | 'invalidAttributeSyntax'
  | 'noSuchObject'
  | 'aliasProblem'
  | 'invalidDnSyntax'
  | 'invalidCredentials'
  | 'strongerAuthRequired'
  | 'insufficientAccessRights'
  | 'busy'
  | 'unavailable'
  | 'unwillingToPerform'
  | 'namingViolation'
  | 'objectClassViolation'
  | 'notAllowedOnNonLeaf'
  | 'notAllowedOnRdn'
  | 'entryAlreadyExists'
  | 'objectClassModsProhibited'
  | 'affectsMultipleDSAs'
  | 'assertionFailed'
  | 'authorizationDenied';

export interface DirectoryResult {
  readonly name: DirectoryResultName;
  /** The nearest superior that exists, with `noSuchObject`; the alias or referral that is in the way. */
  readonly matchedDn?: string;
  /** Where the entry is, with `referral`. */
  readonly referral?: readonly string[];
}
