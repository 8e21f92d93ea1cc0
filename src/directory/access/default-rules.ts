// The rules that a directory begins with: values of `aci` on the suffix. They can be changed like any others.
//
//   site administrators    all
//   servers                read, search, compare, proxy
//   domain administrators  all in their domain, less what is `reserved`
//   self                   read; write a password, a name, and what becomes of mail while nobody programs or moves it
//   list owners            members and description of their lists, and what it takes to find them
//
// Nobody else reads anything.

const RESERVED_ATTRIBUTES = [
  'aci',
  'mailHost',
  'mailRoutingAddress',
  'mailMessageStore',
  'mailProgramDeliveryInfo',
  'mailDeliveryFileURL',
  'mailSMTPSubmitChannel',
  // Where names lead that stand for others: clients follow them.
  'aliasedObjectName',
  'ref',
  'waypost*',
];
const OF_DOMAIN = ['description', 'mailDomainCatchallAddress', 'mailDomainWelcomeMessage', 'mailDomainReportAddress'];
const OWN = [
  'userPassword',
  'displayName',
  'preferredLanguage',
  'telephoneNumber',
  'mailForwardingAddress',
  'mailAutoReply*',
  'vacation*',
];
const MEMBERS = ['member', 'uniqueMember', 'mgrpRFC822MailMember'];

const DOMAIN_CLASSES = ['mailDomain', 'inetDomain', 'inetDomainAlias'];
/** What makes names stand for others. */
const RESERVED_CLASSES = [...DOMAIN_CLASSES, 'alias', 'referral'];

const any = (attribute: string, values: readonly string[]): string =>
  `(|${values.map((value) => `(${attribute}=${value})`).join('')})`;
const rule = (targets: string, name: string, permission: string): string =>
  `${targets}(version 3.0; acl "${name}"; ${permission};)`;
const attributes = (names: readonly string[]): string => `(targetattr = "${names.join(' || ')}")`;
const both = (filter: string): string => `(targattrfilters = "add=${filter},del=${filter}")`;
const beyond = (rule: string) => (attribute: string) => `${attribute}:(!(${attribute}:${rule}:=TRUE))`;
/** A filter, and a list's members, are looked for with the server's rights: by them others would be found out. */
const OF_DOMAIN_ALONE = [
  ...['memberURL', 'mgrpDeliverTo', 'mgrpErrorsTo'].map(beyond('waypostOwnDomainMatch')),
  ...['mgrpAllowedBroadcaster', 'mgrpDisallowedBroadcaster', 'mgrpModerator'].map(beyond('waypostOwnNameMatch')),
];

const ALL = attributes(['*', '+']);
const SITE = 'roledn = "ldap:///cn=site administrator"';
const SERVER = 'roledn = "ldap:///cn=server"';
const DOMAIN = 'roledn = "ldap:///cn=domain administrator"';
const SELF = 'userdn = "ldap:///self"';
const OWNER = 'userattr = "owner#USERDN"';

const reserved = (targets: string, rights: string): string => rule(targets, 'reserved', `deny (${rights}) ${DOMAIN}`);

export const DEFAULT_RULES: readonly string[] = [
  rule(ALL, 'site administrators', `allow (all) ${SITE}`),
  rule(ALL, 'servers', `allow (read, search, compare, proxy) ${SERVER}`),
  rule(ALL, 'domain administrators', `allow (all) ${DOMAIN}`),
  reserved(attributes(RESERVED_ATTRIBUTES), 'write'),
  reserved(`${ALL}(targetfilter = "(nsRole=cn=site administrator)")`, 'write, delete'),
  reserved(
    `(targetattr != "${OF_DOMAIN.join(' || ')}")(targetfilter = "${any('objectClass', DOMAIN_CLASSES)}")`,
    'write',
  ),
  reserved(`(targetfilter = "${any('objectClass', RESERVED_CLASSES)}")`, 'add, delete'),
  reserved(both(`objectClass:${any('objectClass', RESERVED_CLASSES)}`), 'write'),
  reserved(both(`mailDeliveryOption:${any('mailDeliveryOption', ['program', 'file'])}`), 'write'),
  reserved(`(targattrfilters = "add=${OF_DOMAIN_ALONE.join(' && ')}")`, 'write'),
  rule(ALL, 'self', `allow (read, search, compare) ${SELF}`),
  rule(attributes(OWN), 'self', `allow (write) ${SELF}`),
  rule(
    both(`mailDeliveryOption:${any('mailDeliveryOption', ['mailbox', 'forward', 'autoreply'])}`),
    'self',
    `allow (write) ${SELF}`,
  ),
  rule(
    attributes(['objectClass', 'cn', 'mail', 'owner', 'description', ...MEMBERS]),
    'list owners',
    `allow (read, search, compare) ${OWNER}`,
  ),
  rule(attributes(['description', ...MEMBERS]), 'list owners', `allow (write) ${OWNER}`),
];
