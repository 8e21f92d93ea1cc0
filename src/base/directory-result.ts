// The results of LDAP that name precisely what the directory refuses. RFC 4511 §4.1.9, Appendix A

export type DirectoryResultName =
  | 'timeLimitExceeded'
  | 'sizeLimitExceeded'
  | 'adminLimitExceeded'
  | 'noSuchAttribute'
  | 'undefinedAttributeType'
  | 'inappropriateMatching'
  | 'constraintViolation'
  | 'attributeOrValueExists'
  | 'invalidAttributeSyntax'
  | 'noSuchObject'
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
  | 'affectsMultipleDSAs';

export interface DirectoryResult {
  readonly name: DirectoryResultName;
  /** The nearest superior that exists, with `noSuchObject`. */
  readonly matchedDn?: string;
}
