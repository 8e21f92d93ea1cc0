// The published schema as tables: syntaxes, matching rules, attribute types, object classes. Data only; schema.ts reads it.
//
// Numbers under OWN are ours and are never given to anything else, also when a row goes. The published ones are the
// standards' and the Netscape and Sun lineage's.
// RFC 4512 §4, RFC 4517, RFC 4519, RFC 4523, RFC 4524, RFC 4530, RFC 5020, RFC 2798, RFC 2307

/** One UUID, made once for this project: c39fdaf1-82f8-4e61-8fbe-160e4bef35fb. RFC 9562, X.667. */
const OWN = '2.25.260029475078379629835353372611245454843';

const SYNTAX_ARC = '1.3.6.1.4.1.1466.115.121.1';

/** OID and description, RFC 4517 §3.3. */
export const SYNTAXES = {
  AttributeTypeDescription: [`${SYNTAX_ARC}.3`, 'Attribute Type Description'],
  BitString: [`${SYNTAX_ARC}.6`, 'Bit String'],
  Boolean: [`${SYNTAX_ARC}.7`, 'Boolean'],
  Certificate: [`${SYNTAX_ARC}.8`, 'X.509 Certificate'],
  CountryString: [`${SYNTAX_ARC}.11`, 'Country String'],
  DN: [`${SYNTAX_ARC}.12`, 'DN'],
  DirectoryString: [`${SYNTAX_ARC}.15`, 'Directory String'],
  DITContentRuleDescription: [`${SYNTAX_ARC}.16`, 'DIT Content Rule Description'],
  DITStructureRuleDescription: [`${SYNTAX_ARC}.17`, 'DIT Structure Rule Description'],
  FacsimileTelephoneNumber: [`${SYNTAX_ARC}.22`, 'Facsimile Telephone Number'],
  Fax: [`${SYNTAX_ARC}.23`, 'Fax'],
  GeneralizedTime: [`${SYNTAX_ARC}.24`, 'Generalized Time'],
  IA5String: [`${SYNTAX_ARC}.26`, 'IA5 String'],
  Integer: [`${SYNTAX_ARC}.27`, 'INTEGER'],
  JPEG: [`${SYNTAX_ARC}.28`, 'JPEG'],
  MatchingRuleDescription: [`${SYNTAX_ARC}.30`, 'Matching Rule Description'],
  MatchingRuleUseDescription: [`${SYNTAX_ARC}.31`, 'Matching Rule Use Description'],
  NameAndOptionalUID: [`${SYNTAX_ARC}.34`, 'Name And Optional UID'],
  NameFormDescription: [`${SYNTAX_ARC}.35`, 'Name Form Description'],
  NumericString: [`${SYNTAX_ARC}.36`, 'Numeric String'],
  ObjectClassDescription: [`${SYNTAX_ARC}.37`, 'Object Class Description'],
  OID: [`${SYNTAX_ARC}.38`, 'OID'],
  OctetString: [`${SYNTAX_ARC}.40`, 'Octet String'],
  PostalAddress: [`${SYNTAX_ARC}.41`, 'Postal Address'],
  PrintableString: [`${SYNTAX_ARC}.44`, 'Printable String'],
  TelephoneNumber: [`${SYNTAX_ARC}.50`, 'Telephone Number'],
  LdapSyntaxDescription: [`${SYNTAX_ARC}.54`, 'LDAP Syntax Description'],
  SubstringAssertion: [`${SYNTAX_ARC}.58`, 'Substring Assertion'],
  UUID: ['1.3.6.1.1.16.1', 'UUID'],
  CSN: ['1.3.6.1.4.1.4203.666.11.2.1', 'CSN'],
} as const satisfies Record<string, readonly [oid: string, description: string]>;

export type SyntaxName = keyof typeof SYNTAXES;

/** OID and assertion syntax, RFC 4517 §4.2, RFC 4530 §2. */
export const MATCHING_RULES = {
  bitStringMatch: ['2.5.13.16', 'BitString'],
  booleanMatch: ['2.5.13.13', 'Boolean'],
  caseExactIA5Match: ['1.3.6.1.4.1.1466.109.114.1', 'IA5String'],
  caseExactMatch: ['2.5.13.5', 'DirectoryString'],
  caseExactOrderingMatch: ['2.5.13.6', 'DirectoryString'],
  caseExactSubstringsMatch: ['2.5.13.7', 'SubstringAssertion'],
  caseIgnoreIA5Match: ['1.3.6.1.4.1.1466.109.114.2', 'IA5String'],
  caseIgnoreIA5SubstringsMatch: ['1.3.6.1.4.1.1466.109.114.3', 'SubstringAssertion'],
  caseIgnoreListMatch: ['2.5.13.11', 'PostalAddress'],
  caseIgnoreListSubstringsMatch: ['2.5.13.12', 'SubstringAssertion'],
  caseIgnoreMatch: ['2.5.13.2', 'DirectoryString'],
  caseIgnoreOrderingMatch: ['2.5.13.3', 'DirectoryString'],
  caseIgnoreSubstringsMatch: ['2.5.13.4', 'SubstringAssertion'],
  distinguishedNameMatch: ['2.5.13.1', 'DN'],
  generalizedTimeMatch: ['2.5.13.27', 'GeneralizedTime'],
  generalizedTimeOrderingMatch: ['2.5.13.28', 'GeneralizedTime'],
  integerFirstComponentMatch: ['2.5.13.29', 'Integer'],
  integerMatch: ['2.5.13.14', 'Integer'],
  integerOrderingMatch: ['2.5.13.15', 'Integer'],
  numericStringMatch: ['2.5.13.8', 'NumericString'],
  numericStringOrderingMatch: ['2.5.13.9', 'NumericString'],
  numericStringSubstringsMatch: ['2.5.13.10', 'SubstringAssertion'],
  objectIdentifierFirstComponentMatch: ['2.5.13.30', 'OID'],
  objectIdentifierMatch: ['2.5.13.0', 'OID'],
  octetStringMatch: ['2.5.13.17', 'OctetString'],
  octetStringOrderingMatch: ['2.5.13.18', 'OctetString'],
  telephoneNumberMatch: ['2.5.13.20', 'TelephoneNumber'],
  telephoneNumberSubstringsMatch: ['2.5.13.21', 'SubstringAssertion'],
  uniqueMemberMatch: ['2.5.13.23', 'NameAndOptionalUID'],
  CSNMatch: ['1.3.6.1.4.1.4203.666.11.2.2', 'CSN'],
  CSNOrderingMatch: ['1.3.6.1.4.1.4203.666.11.2.3', 'CSN'],
  UUIDMatch: ['1.3.6.1.1.16.2', 'UUID'],
  UUIDOrderingMatch: ['1.3.6.1.1.16.3', 'UUID'],
} as const satisfies Record<string, readonly [oid: string, assertionSyntax: SyntaxName]>;

export type MatchingRuleName = keyof typeof MATCHING_RULES;

export interface AttributeKind {
  readonly syntax: SyntaxName;
  readonly equality?: MatchingRuleName;
  readonly ordering?: MatchingRuleName;
  readonly substrings?: MatchingRuleName;
}

/** What most attributes are: a syntax and the rules that go with it. */
export const ATTRIBUTE_KINDS = {
  text: { syntax: 'DirectoryString', equality: 'caseIgnoreMatch', substrings: 'caseIgnoreSubstringsMatch' },
  exact: { syntax: 'DirectoryString', equality: 'caseExactMatch', substrings: 'caseExactSubstringsMatch' },
  ia5: { syntax: 'IA5String', equality: 'caseIgnoreIA5Match', substrings: 'caseIgnoreIA5SubstringsMatch' },
  /** What SMTP with SMTPUTF8 can name, and what contains that. RFC 6530 §10.1 */
  address: { syntax: 'DirectoryString', equality: 'caseIgnoreMatch', substrings: 'caseIgnoreSubstringsMatch' },
  ia5exact: { syntax: 'IA5String', equality: 'caseExactIA5Match' },
  printable: { syntax: 'PrintableString', equality: 'caseIgnoreMatch', substrings: 'caseIgnoreSubstringsMatch' },
  serial: {
    syntax: 'PrintableString',
    equality: 'caseIgnoreMatch',
    ordering: 'caseIgnoreOrderingMatch',
    substrings: 'caseIgnoreSubstringsMatch',
  },
  country: { syntax: 'CountryString', equality: 'caseIgnoreMatch', substrings: 'caseIgnoreSubstringsMatch' },
  dn: { syntax: 'DN', equality: 'distinguishedNameMatch' },
  nameUid: { syntax: 'NameAndOptionalUID', equality: 'uniqueMemberMatch' },
  oid: { syntax: 'OID', equality: 'objectIdentifierMatch' },
  boolean: { syntax: 'Boolean', equality: 'booleanMatch' },
  integer: { syntax: 'Integer', equality: 'integerMatch', ordering: 'integerOrderingMatch' },
  number: { syntax: 'Integer', equality: 'integerMatch' },
  numeric: { syntax: 'NumericString', equality: 'numericStringMatch', substrings: 'numericStringSubstringsMatch' },
  telephone: {
    syntax: 'TelephoneNumber',
    equality: 'telephoneNumberMatch',
    substrings: 'telephoneNumberSubstringsMatch',
  },
  fax: { syntax: 'FacsimileTelephoneNumber' },
  postal: { syntax: 'PostalAddress', equality: 'caseIgnoreListMatch', substrings: 'caseIgnoreListSubstringsMatch' },
  time: { syntax: 'GeneralizedTime', equality: 'generalizedTimeMatch', ordering: 'generalizedTimeOrderingMatch' },
  bits: { syntax: 'BitString', equality: 'bitStringMatch' },
  octets: { syntax: 'OctetString', equality: 'octetStringMatch' },
  opaque: { syntax: 'OctetString' },
  jpeg: { syntax: 'JPEG' },
  photo: { syntax: 'Fax' },
  certificate: { syntax: 'Certificate' },
  csn: { syntax: 'CSN', equality: 'CSNMatch', ordering: 'CSNOrderingMatch' },
  uuid: { syntax: 'UUID', equality: 'UUIDMatch', ordering: 'UUIDOrderingMatch' },
  attributeTypeDescription: {
    syntax: 'AttributeTypeDescription',
    equality: 'objectIdentifierFirstComponentMatch',
  },
  objectClassDescription: { syntax: 'ObjectClassDescription', equality: 'objectIdentifierFirstComponentMatch' },
  matchingRuleDescription: { syntax: 'MatchingRuleDescription', equality: 'objectIdentifierFirstComponentMatch' },
  matchingRuleUseDescription: {
    syntax: 'MatchingRuleUseDescription',
    equality: 'objectIdentifierFirstComponentMatch',
  },
  syntaxDescription: { syntax: 'LdapSyntaxDescription', equality: 'objectIdentifierFirstComponentMatch' },
} as const satisfies Record<string, AttributeKind>;

export type AttributeKindName = keyof typeof ATTRIBUTE_KINDS;

/**
 * `single`: SINGLE-VALUE. `operational`, `server`: directoryOperation and dSAOperation, only on request.
 * `made`: NO-USER-MODIFICATION. `secret`: shown to the administrator over LDAP alone, and in no log. `rows`: its values are
 * rows of their own (member-values.ts), as a list may have a million; they are texts and have no language.
 * `hidden`: shown to nobody, the administrator included, and in no log: it is there to be used, not to be read.
 */
export type AttributeFlag = 'single' | 'operational' | 'server' | 'made' | 'secret' | 'hidden' | 'rows';

/** `kind` is a row of ATTRIBUTE_KINDS, or `<supertype` whose syntax and rules are inherited. The first name is the one shown. */
export type AttributeRow = readonly [
  oid: string,
  names: string,
  kind: AttributeKindName | `<${string}`,
  ...flags: readonly AttributeFlag[],
];

const STANDARD_ATTRIBUTES: readonly AttributeRow[] = [
  // RFC 4512
  ['2.5.4.0', 'objectClass', 'oid'],
  ['2.5.4.1', 'aliasedObjectName aliasedEntryName', 'dn', 'single'],
  ['2.5.18.1', 'createTimestamp', 'time', 'single', 'operational', 'made'],
  ['2.5.18.2', 'modifyTimestamp', 'time', 'single', 'operational', 'made'],
  ['2.5.18.3', 'creatorsName', 'dn', 'single', 'operational', 'made'],
  ['2.5.18.4', 'modifiersName', 'dn', 'single', 'operational', 'made'],
  ['2.5.18.9', 'hasSubordinates', 'boolean', 'single', 'operational', 'made'],
  ['2.5.18.10', 'subschemaSubentry', 'dn', 'single', 'operational', 'made'],
  ['2.5.21.9', 'structuralObjectClass', 'oid', 'single', 'operational', 'made'],
  ['2.5.21.4', 'matchingRules', 'matchingRuleDescription', 'operational', 'made'],
  ['2.5.21.5', 'attributeTypes', 'attributeTypeDescription', 'operational', 'made'],
  ['2.5.21.6', 'objectClasses', 'objectClassDescription', 'operational', 'made'],
  ['2.5.21.8', 'matchingRuleUse', 'matchingRuleUseDescription', 'operational', 'made'],
  ['1.3.6.1.4.1.1466.101.120.5', 'namingContexts', 'dn', 'server', 'made'],
  ['1.3.6.1.4.1.1466.101.120.6', 'altServer', 'ia5exact', 'server', 'made'],
  ['1.3.6.1.4.1.1466.101.120.7', 'supportedExtension', 'oid', 'server', 'made'],
  ['1.3.6.1.4.1.1466.101.120.13', 'supportedControl', 'oid', 'server', 'made'],
  ['1.3.6.1.4.1.1466.101.120.14', 'supportedSASLMechanisms', 'text', 'server', 'made'],
  ['1.3.6.1.4.1.1466.101.120.15', 'supportedLDAPVersion', 'number', 'server', 'made'],
  ['1.3.6.1.4.1.1466.101.120.16', 'ldapSyntaxes', 'syntaxDescription', 'operational', 'made'],
  ['1.3.6.1.4.1.4203.1.3.5', 'supportedFeatures', 'oid', 'server', 'made'],
  // RFC 3045, RFC 4530, RFC 5020
  ['1.2.840.113556.1.4.619', 'dnsHostName', 'exact', 'single', 'server', 'made'],
  ['1.3.6.1.1.4', 'vendorName', 'exact', 'single', 'server', 'made'],
  ['1.3.6.1.1.5', 'vendorVersion', 'exact', 'single', 'server', 'made'],
  ['1.3.6.1.1.16.4', 'entryUUID', 'uuid', 'single', 'operational', 'made'],
  ['1.3.6.1.1.20', 'entryDN', 'dn', 'single', 'operational', 'made'],
  // OpenLDAP's, of its feed (RFC 4533)
  ['1.3.6.1.4.1.4203.666.1.7', 'entryCSN', 'csn', 'single', 'operational', 'made'],
  ['1.3.6.1.4.1.4203.666.1.25', 'contextCSN', 'csn', 'operational', 'made'],
  // RFC 3296
  ['2.16.840.1.113730.3.1.34', 'ref', 'exact'],
  // RFC 4519
  ['2.5.4.41', 'name', 'text'],
  ['2.5.4.49', 'distinguishedName', 'dn'],
  ['2.5.4.3', 'cn commonName', '<name'],
  ['2.5.4.4', 'sn surname', '<name'],
  ['2.5.4.5', 'serialNumber', 'printable'],
  ['2.5.4.6', 'c countryName', 'country', 'single'],
  ['2.5.4.7', 'l localityName', '<name'],
  ['2.5.4.8', 'st stateOrProvinceName', '<name'],
  ['2.5.4.9', 'street streetAddress', 'text'],
  ['2.5.4.10', 'o organizationName', '<name'],
  ['2.5.4.11', 'ou organizationalUnitName', '<name'],
  ['2.5.4.12', 'title', '<name'],
  ['2.5.4.13', 'description', 'text'],
  ['2.5.4.14', 'searchGuide', 'opaque'],
  ['2.5.4.15', 'businessCategory', 'text'],
  ['2.5.4.16', 'postalAddress', 'postal'],
  ['2.5.4.17', 'postalCode', 'text'],
  ['2.5.4.18', 'postOfficeBox', 'text'],
  ['2.5.4.19', 'physicalDeliveryOfficeName', 'text'],
  ['2.5.4.20', 'telephoneNumber', 'telephone'],
  ['2.5.4.21', 'telexNumber', 'opaque'],
  ['2.5.4.22', 'teletexTerminalIdentifier', 'opaque'],
  ['2.5.4.23', 'facsimileTelephoneNumber fax', 'fax'],
  ['2.5.4.24', 'x121Address', 'numeric'],
  ['2.5.4.25', 'internationalISDNNumber', 'numeric'],
  ['2.5.4.26', 'registeredAddress', '<postalAddress'],
  ['2.5.4.27', 'destinationIndicator', 'printable'],
  ['2.5.4.28', 'preferredDeliveryMethod', 'text', 'single'],
  ['2.5.4.31', 'member', '<distinguishedName', 'rows'],
  ['2.5.4.32', 'owner', '<distinguishedName'],
  ['2.5.4.33', 'roleOccupant', '<distinguishedName'],
  ['2.5.4.34', 'seeAlso', '<distinguishedName'],
  ['2.5.4.35', 'userPassword', 'octets', 'secret'],
  ['2.5.4.36', 'userCertificate', 'certificate'],
  ['2.5.4.42', 'givenName gn', '<name'],
  ['2.5.4.43', 'initials', '<name'],
  ['2.5.4.44', 'generationQualifier', '<name'],
  ['2.5.4.45', 'x500UniqueIdentifier', 'bits'],
  ['2.5.4.46', 'dnQualifier', 'serial'],
  ['2.5.4.47', 'enhancedSearchGuide', 'opaque'],
  ['2.5.4.50', 'uniqueMember', 'nameUid', 'rows'],
  ['2.5.4.51', 'houseIdentifier', 'text'],
  ['0.9.2342.19200300.100.1.1', 'uid userid', 'text'],
  ['0.9.2342.19200300.100.1.25', 'dc domainComponent', 'ia5', 'single'],
  // RFC 4524
  ['0.9.2342.19200300.100.1.3', 'mail rfc822Mailbox', 'address'],
  ['0.9.2342.19200300.100.1.4', 'info', 'text'],
  ['0.9.2342.19200300.100.1.5', 'drink favouriteDrink', 'text'],
  ['0.9.2342.19200300.100.1.6', 'roomNumber', 'text'],
  ['0.9.2342.19200300.100.1.8', 'userClass', 'text'],
  ['0.9.2342.19200300.100.1.9', 'host', 'text'],
  ['0.9.2342.19200300.100.1.10', 'manager', 'dn'],
  ['0.9.2342.19200300.100.1.26', 'aRecord', 'ia5'],
  ['0.9.2342.19200300.100.1.27', 'mDRecord', 'ia5'],
  ['0.9.2342.19200300.100.1.28', 'mXRecord', 'ia5'],
  ['0.9.2342.19200300.100.1.29', 'nSRecord', 'ia5'],
  ['0.9.2342.19200300.100.1.30', 'sOARecord', 'ia5'],
  ['0.9.2342.19200300.100.1.31', 'cNAMERecord', 'ia5'],
  ['0.9.2342.19200300.100.1.20', 'homePhone homeTelephoneNumber', 'telephone'],
  ['0.9.2342.19200300.100.1.21', 'secretary', 'dn'],
  ['0.9.2342.19200300.100.1.37', 'associatedDomain', 'ia5'],
  ['0.9.2342.19200300.100.1.38', 'associatedName', 'dn'],
  ['0.9.2342.19200300.100.1.39', 'homePostalAddress', 'postal'],
  ['0.9.2342.19200300.100.1.40', 'personalTitle', 'text'],
  ['0.9.2342.19200300.100.1.41', 'mobile mobileTelephoneNumber', 'telephone'],
  ['0.9.2342.19200300.100.1.42', 'pager pagerTelephoneNumber', 'telephone'],
  ['0.9.2342.19200300.100.1.43', 'co friendlyCountryName', 'text'],
  ['0.9.2342.19200300.100.1.44', 'uniqueIdentifier', 'text'],
  ['0.9.2342.19200300.100.1.45', 'organizationalStatus', 'text'],
  ['0.9.2342.19200300.100.1.48', 'buildingName', 'text'],
  // RFC 2798, RFC 2079, RFC 1274
  ['0.9.2342.19200300.100.1.7', 'photo', 'photo'],
  ['0.9.2342.19200300.100.1.55', 'audio', 'opaque'],
  ['0.9.2342.19200300.100.1.60', 'jpegPhoto', 'jpeg'],
  ['1.3.6.1.4.1.250.1.57', 'labeledURI', 'exact'],
  ['2.16.840.1.113730.3.1.1', 'carLicense', 'text'],
  ['2.16.840.1.113730.3.1.2', 'departmentNumber', 'text'],
  ['2.16.840.1.113730.3.1.3', 'employeeNumber', 'text', 'single'],
  ['2.16.840.1.113730.3.1.4', 'employeeType', 'text'],
  ['2.16.840.1.113730.3.1.39', 'preferredLanguage', 'text', 'single'],
  ['2.16.840.1.113730.3.1.40', 'userSMIMECertificate', 'opaque'],
  ['2.16.840.1.113730.3.1.216', 'userPKCS12', 'opaque'],
  ['2.16.840.1.113730.3.1.241', 'displayName', 'text', 'single'],
  // RFC 2307
  ['1.3.6.1.1.1.1.0', 'uidNumber', 'integer', 'single'],
  ['1.3.6.1.1.1.1.1', 'gidNumber', 'integer', 'single'],
  ['1.3.6.1.1.1.1.2', 'gecos', 'ia5', 'single'],
  ['1.3.6.1.1.1.1.3', 'homeDirectory', 'ia5exact', 'single'],
  ['1.3.6.1.1.1.1.4', 'loginShell', 'ia5exact', 'single'],
  ['1.3.6.1.1.1.1.12', 'memberUid', 'ia5exact'],
  // PowerDNS's schema of zones; the number after 20.1 is the record type's. A TXT value keeps its case.
  ['1.3.6.1.4.1.2428.20.0.0', 'dNSTTL', 'integer', 'single'],
  ['1.3.6.1.4.1.2428.20.1.12', 'pTRRecord', 'ia5'],
  ['1.3.6.1.4.1.2428.20.1.16', 'tXTRecord', 'ia5exact'],
  ['1.3.6.1.4.1.2428.20.1.28', 'aAAARecord', 'ia5'],
  ['1.3.6.1.4.1.2428.20.1.33', 'sRVRecord', 'ia5'],
  ['1.3.6.1.4.1.2428.20.1.52', 'tLSARecord', 'ia5'],
  ['1.3.6.1.4.1.2428.20.1.257', 'cAARecord', 'ia5exact'],
];

const MAIL_ATTRIBUTES: readonly AttributeRow[] = [
  ['2.16.840.1.113730.3.1.12', 'mailAccessDomain', 'text'],
  ['2.16.840.1.113730.3.1.13', 'mailAlternateAddress mailLocalAddress', 'address'],
  ['2.16.840.1.113730.3.1.14', 'mailAutoReplyMode', 'text', 'single'],
  ['2.16.840.1.113730.3.1.15', 'mailAutoReplyText', 'text', 'single'],
  ['2.16.840.1.113730.3.1.16', 'mailDeliveryOption', 'text'],
  ['2.16.840.1.113730.3.1.17', 'mailForwardingAddress', 'text'],
  ['2.16.840.1.113730.3.1.18', 'mailHost', 'ia5', 'single'],
  ['2.16.840.1.113730.3.1.19', 'mailMessageStore', 'ia5exact', 'single'],
  ['2.16.840.1.113730.3.1.20', 'mailProgramDeliveryInfo', 'ia5exact'],
  ['2.16.840.1.113730.3.1.21', 'mailQuota', 'text', 'single'],
  ['2.16.840.1.113730.3.1.22', 'mgrpAllowedBroadcaster', 'address'],
  ['2.16.840.1.113730.3.1.23', 'mgrpAllowedDomain', 'text'],
  ['2.16.840.1.113730.3.1.24', 'mailRoutingAddress', 'address', 'single'],
  ['2.16.840.1.113730.3.1.25', 'mgrpDeliverTo', 'ia5exact'],
  ['2.16.840.1.113730.3.1.26', 'mgrpErrorsTo', 'address', 'single'],
  ['2.16.840.1.113730.3.1.28', 'mgrpMsgRejectAction', 'text', 'single'],
  ['2.16.840.1.113730.3.1.29', 'mgrpMsgRejectText', 'text', 'single'],
  ['2.16.840.1.113730.3.1.30', 'mgrpRFC822MailMember', 'text', 'rows'],
  ['2.16.840.1.113730.3.1.32', 'mgrpMsgMaxSize', 'text', 'single'],
  ['2.16.840.1.113730.3.1.33', 'mgrpModerator', 'address'],
  ['2.16.840.1.113730.3.1.36', 'multiLineDescription', 'text'],
  ['2.16.840.1.113730.3.1.198', 'memberURL', 'ia5exact'],
  ['2.16.840.1.113730.3.1.690', 'inetDomainBaseDN', 'dn', 'single'],
  ['2.16.840.1.113730.3.1.691', 'inetDomainStatus', 'text', 'single'],
  ['2.16.840.1.113730.3.1.692', 'inetUserStatus', 'text', 'single'],
  ['2.16.840.1.113730.3.1.693', 'inetUserHttpURL', 'ia5exact'],
  ['2.16.840.1.113730.3.1.707', 'vacationStartDate', 'time', 'single'],
  ['2.16.840.1.113730.3.1.708', 'vacationEndDate', 'time', 'single'],
  ['2.16.840.1.113730.3.1.781', 'mgrpAddHeader', 'ia5'],
  ['2.16.840.1.113730.3.1.788', 'mgrpBroadcasterPolicy', 'text'],
  ['2.16.840.1.113730.3.1.789', 'mgrpNoDuplicateChecks', 'text', 'single'],
  ['2.16.840.1.113730.3.1.801', 'mgrpRemoveHeader', 'text'],
  ['1.2.840.113556.1.2.102', 'memberOf', 'dn', 'operational', 'made'],
  // access/: the rules, and the roles of an entry as their filters may ask for them
  ['2.16.840.1.113730.3.1.55', 'aci', 'exact', 'operational'],
  ['2.16.840.1.113730.3.1.574', 'nsRole', 'dn', 'operational', 'made'],
  [`${OWN}.1.1`, 'inetCanonicalDomainName', 'ia5', 'single'],
  [`${OWN}.1.2`, 'mailDomainStatus', 'text', 'single'],
  [`${OWN}.1.3`, 'mailDomainCatchallAddress', 'address', 'single'],
  [`${OWN}.1.4`, 'mailDomainAllowedServiceAccess', 'text', 'single'],
  [`${OWN}.1.5`, 'mailDomainDiskQuota', 'text', 'single'],
  [`${OWN}.1.6`, 'mailDomainMsgQuota', 'text', 'single'],
  [`${OWN}.1.7`, 'mailDomainReportAddress', 'address', 'single'],
  [`${OWN}.1.8`, 'mailDomainWelcomeMessage', 'text', 'single'],
  [`${OWN}.1.9`, 'mailRoutingHosts', 'ia5'],
  [`${OWN}.1.10`, 'mailRoutingSmartHost', 'ia5', 'single'],
  [`${OWN}.1.11`, 'preferredMailHost', 'ia5', 'single'],
  [`${OWN}.1.12`, 'preferredMailMessageStore', 'ia5exact', 'single'],
  [`${OWN}.1.13`, 'mailAccessProxyPreAuth', 'text', 'single'],
  [`${OWN}.1.14`, 'mailAccessProxyReplay', 'text', 'single'],
  [`${OWN}.1.15`, 'mailClientAttachmentQuota', 'text', 'single'],
  [`${OWN}.1.16`, 'mailPublicFolderDefaultRights', 'text'],
  [`${OWN}.1.17`, 'domainUIDSeparator', 'ia5exact', 'single'],
  [`${OWN}.1.18`, 'mailUserStatus', 'text', 'single'],
  [`${OWN}.1.19`, 'mailEquivalentAddress', 'address'],
  [`${OWN}.1.20`, 'mailAllowedServiceAccess', 'text', 'single'],
  [`${OWN}.1.21`, 'mailAntiUBEService', 'text'],
  [`${OWN}.1.22`, 'mailAutoReplySubject', 'text', 'single'],
  [`${OWN}.1.23`, 'mailAutoReplyTimeOut', 'integer', 'single'],
  [`${OWN}.1.24`, 'mailAutoReplyTextInternal', 'text', 'single'],
  [`${OWN}.1.25`, 'mailConversionTag', 'text'],
  [`${OWN}.1.26`, 'mailDeferProcessing', 'text', 'single'],
  [`${OWN}.1.27`, 'mailMsgMaxBlocks', 'integer', 'single'],
  [`${OWN}.1.28`, 'mailMsgQuota', 'text', 'single'],
  [`${OWN}.1.29`, 'mailSieveRuleSource', 'exact'],
  [`${OWN}.1.30`, 'mailSMTPSubmitChannel', 'text', 'single'],
  [`${OWN}.1.31`, 'aclGroupAddr', 'ia5'],
  [`${OWN}.1.32`, 'dataSource', 'text'],
  [`${OWN}.1.33`, 'inetMailGroupStatus', 'text', 'single'],
  [`${OWN}.1.34`, 'mailDeliveryFileURL', 'exact', 'single'],
  [`${OWN}.1.35`, 'mailRejectText', 'text', 'single'],
  [`${OWN}.1.36`, 'mgrpAuthPassword', 'octets', 'single', 'secret'],
  [`${OWN}.1.37`, 'mgrpDisallowedBroadcaster', 'address'],
  [`${OWN}.1.38`, 'mgrpDisallowedDomain', 'text'],
  [`${OWN}.1.39`, 'mgrpMsgPrefixText', 'exact', 'single'],
  [`${OWN}.1.40`, 'mgrpMsgSuffixText', 'exact', 'single'],
  [`${OWN}.1.41`, 'mgmanAllowSubscribe', 'text'],
  [`${OWN}.1.42`, 'mgmanDenySubscribe', 'text'],
  [`${OWN}.1.43`, 'mgmanGoodbyeText', 'text', 'single'],
  [`${OWN}.1.44`, 'mgmanHidden', 'text', 'single'],
  [`${OWN}.1.45`, 'mgmanIntroText', 'text', 'single'],
  [`${OWN}.1.46`, 'mgmanJoinability', 'text', 'single'],
  [`${OWN}.1.47`, 'mgmanMemberVisibility', 'text', 'single'],
  [`${OWN}.1.48`, 'mgmanVisibility', 'text', 'single'],
  [`${OWN}.1.49`, 'sunPreferredDomain', 'ia5', 'single'],
  // Waypost's own: directory/token.ts
  [`${OWN}.1.60`, 'waypostToken', 'exact', 'operational', 'made', 'secret'],
  [`${OWN}.1.61`, 'waypostServerName', 'ia5', 'single'],
  [`${OWN}.1.62`, 'waypostRecipientsPerHour', 'integer', 'single'],
  [`${OWN}.1.70`, 'waypostRoute', 'ia5', 'single'],
  [`${OWN}.1.71`, 'waypostDisabledText', 'text', 'single'],
  [`${OWN}.1.72`, 'waypostSource', 'ia5', 'single'],
  [`${OWN}.1.73`, 'mailDomainMsgMaxBlocks', 'integer', 'single'],
  // zones/compile.ts; the operational ones tell a domain's life
  [`${OWN}.1.74`, 'waypostZoneAuthority', 'text', 'single'],
  [`${OWN}.1.75`, 'waypostApex', 'boolean', 'single', 'operational', 'made'],
  // What else a server that has the same entries needs of one, JSON: shown to servers where it is asked for by name.
  [`${OWN}.1.201`, 'waypostEntryFacts', 'exact', 'single', 'operational', 'made'],
  [`${OWN}.1.76`, 'waypostDomainState', 'text', 'single', 'operational', 'made'],
  [`${OWN}.1.240`, 'waypostRenamedFrom', 'ia5', 'single', 'operational', 'made'],
  [`${OWN}.1.77`, 'waypostDomainOrigin', 'exact', 'single', 'operational', 'made'],
  [`${OWN}.1.200`, 'waypostAdministrator', 'dn'],
  [`${OWN}.1.78`, 'waypostDomainEvidence', 'exact', 'single', 'operational', 'made'],
  [`${OWN}.1.79`, 'waypostDmarc', 'exact', 'single'],
  [`${OWN}.1.150`, 'waypostMtaSts', 'text', 'single'],
  [`${OWN}.1.151`, 'waypostTlsReport', 'exact', 'single'],
  [`${OWN}.1.152`, 'waypostOmitRecord', 'text'],
  // routing/compile-host.ts
  [`${OWN}.1.80`, 'waypostHostAddress', 'ia5'],
  [`${OWN}.1.81`, 'waypostHostPort', 'integer', 'single'],
  // zones/settings.ts
  [`${OWN}.1.82`, 'waypostHostService', 'ia5'],
  [`${OWN}.1.83`, 'waypostHostPreference', 'integer', 'single'],
  [`${OWN}.1.160`, 'waypostNameServerRole', 'text', 'single'],
  [`${OWN}.1.161`, 'waypostNameServerAddress', 'ia5'],
  [`${OWN}.1.162`, 'waypostZone', 'ia5'],
  [`${OWN}.1.163`, 'waypostTsigName', 'ia5', 'single'],
  [`${OWN}.1.164`, 'waypostTsigAlgorithm', 'ia5', 'single'],
  [`${OWN}.1.165`, 'waypostTsigSecret', 'ia5exact', 'single', 'hidden'],
  [`${OWN}.1.166`, 'waypostWatchAddress', 'ia5'],
  [`${OWN}.1.170`, 'waypostKeyDomain', 'ia5', 'single'],
  [`${OWN}.1.171`, 'waypostKeyType', 'text', 'single'],
  [`${OWN}.1.172`, 'waypostKeySecret', 'ia5exact', 'single', 'hidden'],
  [`${OWN}.1.173`, 'waypostKeyPublic', 'ia5exact', 'single'],
  [`${OWN}.1.174`, 'waypostKeyState', 'text', 'single'],
  // routing/compile-policy.ts
  [`${OWN}.1.180`, 'waypostPolicyOrder', 'integer', 'single'],
  [`${OWN}.1.181`, 'waypostMatchDomain', 'ia5'],
  [`${OWN}.1.182`, 'waypostMatchParent', 'boolean', 'single'],
  [`${OWN}.1.183`, 'waypostMatchToken', 'exact', 'single', 'hidden'],
  [`${OWN}.1.184`, 'waypostPolicyAction', 'text', 'single'],
  [`${OWN}.1.185`, 'waypostAllowWildcard', 'boolean', 'single'],
  [`${OWN}.1.186`, 'waypostCustody', 'boolean', 'single'],
  // Names that have asked to become domains, and those that may not: provisioning/
  [`${OWN}.1.190`, 'waypostFirstSeen', 'time', 'single', 'made'],
  [`${OWN}.1.191`, 'waypostLastSeen', 'time', 'single', 'made'],
  [`${OWN}.1.192`, 'waypostSeen', 'integer', 'single', 'made'],
  [`${OWN}.1.193`, 'waypostPendingPolicy', 'exact', 'single', 'made'],
  // routing/compile-channel.ts
  [`${OWN}.1.90`, 'waypostChannelKind', 'text', 'single'],
  [`${OWN}.1.91`, 'waypostKeyword', 'exact'],
  [`${OWN}.1.92`, 'waypostPaused', 'boolean', 'single'],
  [`${OWN}.1.93`, 'waypostLogin', 'ia5exact', 'single'],
  [`${OWN}.1.94`, 'waypostSecret', 'octets', 'single', 'secret'],
  // routing/compile-rule.ts
  [`${OWN}.1.100`, 'waypostPattern', 'text', 'single'],
  [`${OWN}.1.101`, 'waypostTemplate', 'exact', 'single'],
  [`${OWN}.1.102`, 'waypostOrder', 'integer', 'single'],
  [`${OWN}.1.103`, 'waypostEnabled', 'boolean', 'single'],
  // A zone whose mail domains become entries: provisioning/zone-source.ts
  [`${OWN}.1.110`, 'waypostZoneServer', 'ia5'],
  // provisioning/ldap-source.ts
  [`${OWN}.1.210`, 'waypostUrl', 'ia5exact'],
  [`${OWN}.1.211`, 'waypostStartTls', 'boolean', 'single'],
  [`${OWN}.1.212`, 'waypostCa', 'ia5exact'],
  [`${OWN}.1.213`, 'waypostBase', 'dn', 'single'],
  [`${OWN}.1.214`, 'waypostSourceDomain', 'ia5'],
  [`${OWN}.1.215`, 'waypostSourceSchema', 'text', 'single'],
  [`${OWN}.1.216`, 'waypostHold', 'text', 'single'],
  [`${OWN}.1.217`, 'waypostCacheRows', 'integer', 'single'],
  [`${OWN}.1.218`, 'waypostMaxAge', 'text', 'single'],
  [`${OWN}.1.219`, 'waypostPoll', 'text', 'single'],
  [`${OWN}.1.220`, 'waypostWrite', 'text', 'single'],
  [`${OWN}.1.221`, 'waypostAttribute', 'text'],
  [`${OWN}.1.222`, 'waypostUserFilter', 'exact', 'single'],
  [`${OWN}.1.223`, 'waypostGroupFilter', 'exact', 'single'],
  [`${OWN}.1.120`, 'waypostSubmitStatus', 'text', 'single'],
  // routing/compile-program.ts
  [`${OWN}.1.130`, 'waypostProgramPath', 'exact', 'single'],
  [`${OWN}.1.131`, 'waypostProgramArguments', 'exact', 'single'],
  [`${OWN}.1.132`, 'waypostProgramUser', 'ia5exact', 'single'],
  [`${OWN}.1.133`, 'waypostProgramTime', 'integer', 'single'],
  [`${OWN}.1.134`, 'waypostProgramMemory', 'integer', 'single'],
  [`${OWN}.1.135`, 'waypostProgramConcurrency', 'integer', 'single'],
  [`${OWN}.1.136`, 'waypostProgramDomain', 'ia5'],
  // routing/options/shared.ts
  [`${OWN}.1.140`, 'waypostSharedMailbox', 'ia5'],
  // Which messages of which folders go by themselves: see expiry-value.ts.
  [`${OWN}.1.250`, 'waypostExpire', 'exact'],
];

export const ATTRIBUTE_ROWS: readonly AttributeRow[] = [...STANDARD_ATTRIBUTES, ...MAIL_ATTRIBUTES];

export type ObjectClassKind = 'ABSTRACT' | 'STRUCTURAL' | 'AUXILIARY';

/** MUST and MAY as names between spaces. */
export type ObjectClassRow = readonly [
  oid: string,
  name: string,
  kind: ObjectClassKind,
  superclass: string,
  must?: string,
  may?: string,
];

const POSTAL =
  'street postOfficeBox postalCode postalAddress physicalDeliveryOfficeName st l x121Address registeredAddress ' +
  'destinationIndicator preferredDeliveryMethod telexNumber teletexTerminalIdentifier telephoneNumber ' +
  'internationalISDNNumber facsimileTelephoneNumber';

const DNS_DOMAIN_2 = 'dNSTTL pTRRecord tXTRecord aAAARecord sRVRecord tLSARecord cAARecord';

const STANDARD_CLASSES: readonly ObjectClassRow[] = [
  // RFC 4512
  ['2.5.6.0', 'top', 'ABSTRACT', '', 'objectClass'],
  ['2.5.6.1', 'alias', 'STRUCTURAL', 'top', 'aliasedObjectName'],
  ['2.5.20.1', 'subschema', 'AUXILIARY', 'top', '', 'objectClasses attributeTypes matchingRules matchingRuleUse'],
  ['1.3.6.1.4.1.1466.101.120.111', 'extensibleObject', 'AUXILIARY', 'top'],
  ['2.5.17.0', 'subentry', 'STRUCTURAL', 'top', 'cn'],
  // RFC 3296
  ['2.16.840.1.113730.3.2.6', 'referral', 'STRUCTURAL', 'top', 'ref'],
  // RFC 4519
  ['2.5.6.2', 'country', 'STRUCTURAL', 'top', 'c', 'searchGuide description'],
  ['2.5.6.3', 'locality', 'STRUCTURAL', 'top', '', 'street seeAlso searchGuide st l description'],
  [
    '2.5.6.4',
    'organization',
    'STRUCTURAL',
    'top',
    'o',
    `userPassword searchGuide seeAlso businessCategory ${POSTAL} description`,
  ],
  [
    '2.5.6.5',
    'organizationalUnit',
    'STRUCTURAL',
    'top',
    'ou',
    `businessCategory description searchGuide seeAlso userPassword ${POSTAL}`,
  ],
  ['2.5.6.6', 'person', 'STRUCTURAL', 'top', 'sn cn', 'userPassword telephoneNumber seeAlso description'],
  ['2.5.6.7', 'organizationalPerson', 'STRUCTURAL', 'person', '', `title ou ${POSTAL}`],
  ['2.5.6.8', 'organizationalRole', 'STRUCTURAL', 'top', 'cn', `seeAlso roleOccupant ou description ${POSTAL}`],
  ['2.5.6.9', 'groupOfNames', 'STRUCTURAL', 'top', 'cn', 'member businessCategory seeAlso owner ou o description'],
  ['2.5.6.10', 'residentialPerson', 'STRUCTURAL', 'person', 'l', `businessCategory ${POSTAL}`],
  ['2.5.6.11', 'applicationProcess', 'STRUCTURAL', 'top', 'cn', 'seeAlso ou l description'],
  ['2.5.6.14', 'device', 'STRUCTURAL', 'top', 'cn', 'serialNumber seeAlso owner ou o l description'],
  [
    '2.5.6.17',
    'groupOfUniqueNames',
    'STRUCTURAL',
    'top',
    'cn',
    'uniqueMember businessCategory seeAlso owner ou o description',
  ],
  ['1.3.6.1.4.1.1466.344', 'dcObject', 'AUXILIARY', 'top', 'dc'],
  ['1.3.6.1.1.3.1', 'uidObject', 'AUXILIARY', 'top', 'uid'],
  ['2.5.6.21', 'pkiUser', 'AUXILIARY', 'top', '', 'userCertificate'],
  // RFC 4524
  ['0.9.2342.19200300.100.4.5', 'account', 'STRUCTURAL', 'top', 'uid', 'description seeAlso l o ou host'],
  [
    '0.9.2342.19200300.100.4.13',
    'domain',
    'STRUCTURAL',
    'top',
    'dc',
    `userPassword searchGuide seeAlso businessCategory ${POSTAL} description o associatedName`,
  ],
  [
    '0.9.2342.19200300.100.4.15',
    'dNSDomain',
    'STRUCTURAL',
    'domain',
    '',
    'aRecord mDRecord mXRecord nSRecord sOARecord cNAMERecord',
  ],
  ['0.9.2342.19200300.100.4.17', 'domainRelatedObject', 'AUXILIARY', 'top', 'associatedDomain'],
  ['0.9.2342.19200300.100.4.7', 'room', 'STRUCTURAL', 'top', 'cn', 'roomNumber description seeAlso telephoneNumber'],
  ['0.9.2342.19200300.100.4.19', 'simpleSecurityObject', 'AUXILIARY', 'top', 'userPassword'],
  // RFC 2798, RFC 2079, RFC 2307
  [
    '2.16.840.1.113730.3.2.2',
    'inetOrgPerson',
    'STRUCTURAL',
    'organizationalPerson',
    '',
    'audio businessCategory carLicense departmentNumber displayName employeeNumber employeeType givenName homePhone ' +
      'homePostalAddress initials jpegPhoto labeledURI mail manager mobile o pager photo roomNumber secretary uid ' +
      'userCertificate x500UniqueIdentifier preferredLanguage userSMIMECertificate userPKCS12',
  ],
  ['1.3.6.1.4.1.250.3.15', 'labeledURIObject', 'AUXILIARY', 'top', '', 'labeledURI'],
  [
    '1.3.6.1.1.1.2.0',
    'posixAccount',
    'AUXILIARY',
    'top',
    'cn uid uidNumber gidNumber homeDirectory',
    'userPassword loginShell gecos description',
  ],
  ['1.3.6.1.4.1.2428.20.2', 'dNSDomain2', 'STRUCTURAL', 'dNSDomain', '', DNS_DOMAIN_2],
  ['1.3.6.1.1.1.2.2', 'posixGroup', 'AUXILIARY', 'top', 'gidNumber', 'cn userPassword memberUid description'],
];

const MAIL_CLASSES: readonly ObjectClassRow[] = [
  [
    '2.16.840.1.113730.3.2.129',
    'inetDomain',
    'AUXILIARY',
    'top',
    '',
    'inetDomainBaseDN inetDomainStatus inetCanonicalDomainName',
  ],
  [
    '2.16.840.1.113730.3.2.130',
    'inetUser',
    'AUXILIARY',
    'top',
    '',
    'uid inetUserStatus inetUserHttpURL userPassword memberOf',
  ],
  [
    '2.16.840.1.113730.3.2.147',
    'inetLocalMailRecipient',
    'AUXILIARY',
    'top',
    '',
    'mail mailAlternateAddress mailHost mailRoutingAddress',
  ],
  [
    '2.16.840.1.113730.3.2.3',
    'mailRecipient',
    'AUXILIARY',
    'top',
    '',
    'cn mail mailAlternateAddress mailHost mailRoutingAddress mailAccessDomain mailAutoReplyMode mailAutoReplyText ' +
      'mailDeliveryOption mailForwardingAddress mailMessageStore mailProgramDeliveryInfo mailQuota ' +
      'multiLineDescription uid userPassword',
  ],
  [
    '2.16.840.1.113730.3.2.4',
    'mailGroup',
    'AUXILIARY',
    'top',
    '',
    'cn mail mailAlternateAddress mailHost mailRoutingAddress mgrpAddHeader mgrpAllowedBroadcaster mgrpAllowedDomain ' +
      'mgrpBroadcasterPolicy mgrpDeliverTo mgrpErrorsTo mgrpModerator mgrpMsgMaxSize mgrpMsgRejectAction ' +
      'mgrpMsgRejectText mgrpNoDuplicateChecks mgrpRemoveHeader mgrpRFC822MailMember owner',
  ],
  [
    '2.16.840.1.113730.3.2.33',
    'groupOfURLs',
    'STRUCTURAL',
    'top',
    'cn',
    'memberURL businessCategory description o ou owner seeAlso',
  ],
  [
    '1.3.6.1.4.1.42.2.27.2.2.2',
    'inetMailGroup',
    'AUXILIARY',
    'top',
    '',
    'dataSource inetMailGroupStatus mailConversionTag mailDeferProcessing mailDeliveryFileURL mailDeliveryOption ' +
      'mailEquivalentAddress mailForwardingAddress mailMsgMaxBlocks mailProgramDeliveryInfo mailRejectText ' +
      'mailSieveRuleSource mgrpAddHeader ' +
      'mgrpAllowedBroadcaster mgrpAllowedDomain mgrpAuthPassword mgrpBroadcasterPolicy mgrpDeliverTo ' +
      'mgrpDisallowedBroadcaster mgrpDisallowedDomain mgrpErrorsTo mgrpModerator mgrpMsgMaxSize mgrpMsgPrefixText ' +
      'mgrpMsgRejectAction mgrpMsgRejectText mgrpMsgSuffixText mgrpNoDuplicateChecks mgrpRemoveHeader ' +
      'mgrpRFC822MailMember preferredLanguage uniqueMember memberURL',
  ],
  [
    `${OWN}.2.1`,
    'mailDomain',
    'AUXILIARY',
    'top',
    '',
    'mailDomainStatus preferredMailHost preferredMailMessageStore mailRoutingHosts mailRoutingSmartHost ' +
      'associatedDomain mailDomainCatchallAddress mailDomainAllowedServiceAccess mailDomainDiskQuota mailDomainMsgQuota ' +
      'mailDomainReportAddress mailDomainWelcomeMessage mailAccessProxyPreAuth mailAccessProxyReplay ' +
      'mailClientAttachmentQuota mailDomainMsgMaxBlocks mailQuota mailMsgQuota mailPublicFolderDefaultRights ' +
      'waypostAdministrator waypostExpire waypostRecipientsPerHour',
  ],
  [
    `${OWN}.2.2`,
    'inetMailUser',
    'AUXILIARY',
    'top',
    '',
    'aclGroupAddr cn dataSource mailAllowedServiceAccess mailAntiUBEService mailAutoReplyMode mailAutoReplySubject ' +
      'mailAutoReplyTimeOut mailAutoReplyText mailAutoReplyTextInternal mailConversionTag mailDeferProcessing ' +
      'mailDeliveryFileURL mailDeliveryOption mailEquivalentAddress mailForwardingAddress mailMessageStore ' +
      'mailMsgMaxBlocks mailMsgQuota mailProgramDeliveryInfo mailQuota mailSieveRuleSource mailSMTPSubmitChannel ' +
      'mailUserStatus waypostExpire waypostRecipientsPerHour waypostSharedMailbox waypostSubmitStatus',
  ],
  [
    `${OWN}.2.3`,
    'inetMailGroupManagement',
    'AUXILIARY',
    'top',
    '',
    'mgmanAllowSubscribe mgmanDenySubscribe mgmanGoodbyeText mgmanHidden mgmanIntroText mgmanJoinability ' +
      'mgmanMemberVisibility mgmanVisibility owner',
  ],
  [`${OWN}.2.4`, 'userPresenceProfile', 'AUXILIARY', 'top', '', 'vacationStartDate vacationEndDate'],
  [`${OWN}.2.5`, 'inetDomainAlias', 'AUXILIARY', 'top', '', 'aliasedObjectName'],
  [`${OWN}.2.6`, 'inetDomainAuthInfo', 'AUXILIARY', 'top', '', 'domainUIDSeparator'],
  [`${OWN}.2.7`, 'sunManagedOrganization', 'AUXILIARY', 'top', '', 'sunPreferredDomain associatedDomain'],
  [
    `${OWN}.2.8`,
    'waypostDomain',
    'AUXILIARY',
    'top',
    '',
    'waypostServerName waypostRoute waypostDisabledText waypostSource waypostZoneAuthority waypostDmarc waypostMtaSts ' +
      'waypostTlsReport waypostOmitRecord waypostApex waypostDomainState waypostDomainOrigin waypostDomainEvidence ' +
      'waypostRenamedFrom ' +
      `aRecord mDRecord mXRecord nSRecord sOARecord cNAMERecord ${DNS_DOMAIN_2}`,
  ],
  [
    `${OWN}.2.9`,
    'waypostHost',
    'STRUCTURAL',
    'top',
    'cn',
    'description waypostHostAddress waypostHostPort waypostHostService waypostHostPreference',
  ],
  [
    `${OWN}.2.10`,
    'waypostChannel',
    'STRUCTURAL',
    'top',
    'cn waypostChannelKind',
    'description waypostKeyword waypostLogin waypostPaused waypostSecret',
  ],
  [
    `${OWN}.2.11`,
    'waypostRewriteRule',
    'STRUCTURAL',
    'top',
    'cn waypostPattern waypostTemplate',
    'description waypostOrder waypostEnabled',
  ],
  [`${OWN}.2.12`, 'waypostZoneSource', 'STRUCTURAL', 'top', 'cn', 'description waypostZoneServer'],
  [
    `${OWN}.2.21`,
    'waypostLdapSource',
    'STRUCTURAL',
    'top',
    'cn waypostUrl waypostBase',
    'description waypostLogin waypostSecret waypostStartTls waypostCa waypostSourceDomain waypostSourceSchema waypostHold ' +
      'waypostCacheRows waypostMaxAge waypostPoll waypostWrite waypostAttribute waypostUserFilter waypostGroupFilter',
  ],
  [
    `${OWN}.2.13`,
    'waypostProgram',
    'STRUCTURAL',
    'top',
    'cn waypostProgramPath waypostProgramUser',
    'description waypostProgramArguments waypostProgramTime waypostProgramMemory waypostProgramConcurrency ' +
      'waypostProgramDomain',
  ],
  [
    `${OWN}.2.14`,
    'waypostNameServer',
    'STRUCTURAL',
    'top',
    'cn waypostNameServerRole waypostNameServerAddress',
    'description waypostZone waypostTsigName waypostTsigAlgorithm waypostTsigSecret waypostWatchAddress',
  ],
  [
    `${OWN}.2.15`,
    'waypostDkimKey',
    'STRUCTURAL',
    'top',
    'cn waypostKeyType',
    'description waypostKeyDomain waypostKeySecret waypostKeyPublic waypostKeyState',
  ],
  [
    `${OWN}.2.16`,
    'waypostDomainPolicy',
    'STRUCTURAL',
    'top',
    'cn waypostPolicyAction',
    'description waypostPolicyOrder waypostMatchDomain waypostMatchParent waypostMatchToken waypostAllowWildcard ' +
      'waypostCustody mailDomainCatchallAddress mailRoutingSmartHost mailRoutingHosts inetDomainBaseDN',
  ],
  [
    `${OWN}.2.17`,
    'waypostPendingDomain',
    'STRUCTURAL',
    'top',
    'associatedDomain',
    'description waypostDomainEvidence waypostPolicyAction waypostPendingPolicy waypostFirstSeen waypostLastSeen waypostSeen',
  ],
  [`${OWN}.2.18`, 'waypostTombstone', 'STRUCTURAL', 'top', 'associatedDomain', 'description waypostFirstSeen'],
];

export const OBJECT_CLASS_ROWS: readonly ObjectClassRow[] = [...STANDARD_CLASSES, ...MAIL_CLASSES];
