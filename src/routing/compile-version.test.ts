// Each version of the compiler gives certain rows for certain entries: one that gives others has another number, so that
// stores which hold the old rows are compiled anew.
//
// In      entries with every attribute that the compiler reads, in the spellings that entries come in
// Out     the digest of all their rows, noted here for each version

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { idOf, type Revision } from '../base/ids.ts';
import { normalizeDn } from '../directory/dn.ts';
import type { Attribute, AttributeValue, Entry } from '../directory/entry.ts';
import { legalStatuses } from '../directory/legal-values.ts';
import { unsupportedAttributes } from './attributes.ts';
import { COMPILER_VERSION, compileDomain, compileRecipient } from './compile.ts';

/** A version that is not released may still change its digest; a released one never does. */
const digests: Readonly<Record<number, string>> = {
  1: '5542ca8f5cfdcfc403d8bbcafc380db7',
  // Spaces round an address and round a host name mean nothing.
  2: '7836f095b6423a6ea4a9e49213f15897',
  // Access rules, and what an account may send to other domains; addresses with dots anywhere, also behind the domain.
  3: '1f88980badb1fb3e84e988d1e4db9af8',
  // Aliases, hosts, sizes and texts of domains; hosts, addresses and sizes of users and lists; the entry's UUID.
  4: '24173a00779ed84b127016a2ecdeff41',
  // Delivery options, several at once.
  5: '049553a1db9ac66ed2987ad1486c8aaf',
  // Domains without mail; whether a message has brought a domain, and its record has been observed.
  6: 'd88d07c88829cc2ee7023fc8dd80ffdf',
  // Attributes that are not carried out are named.
  7: '27a9a3d24b858a84575e5d7c16af96b5',
};

type Values = Readonly<Record<string, AttributeValue | readonly AttributeValue[]>>;

function entry(dn: string, values: Values): Entry {
  const attributes = new Map<string, Attribute>();
  for (const [name, value] of Object.entries(values))
    attributes.set(name.toLowerCase(), { name, values: [value].flat() as AttributeValue[] });
  const made = { createdAt: 0, modifiedAt: 0, revision: idOf<Revision>(5), uuid: 'u', parent: 1 };
  return { id: 5, dn, normalizedDn: normalizeDn(dn), attributes, ...made };
}

const each = (names: readonly string[]): Values => Object.fromEntries(names.map((name) => [name, 'x']));
/** Every legal status, in capitals too, and one that is none. */
const statuses = Object.entries(legalStatuses).flatMap(([name, words]) =>
  [...words, ...words.map((word) => word.toUpperCase()), ` ${words[0]} `, 'nonsense', ''].map((word) => ({
    [name]: word,
  })),
);
const addresses = [
  'ann@acme.example',
  'Ann@ACME.Example',
  ' sp@acme.example ',
  '\tTab@acme.example',
  '"a b"@acme.example',
  '"plain"@acme.example',
  '"quo\\"ted"@acme.example',
  'ann@acme.example.',
  'ann@bücher.example',
  'ann@xn--bcher-kva.example',
  'ann@[127.0.0.1]',
  'ann@other.example',
  'no address',
  'ann',
  '@acme.example',
  '',
  'jürgen@acme.example',
  'ann@sales.acme.example',
  Buffer.from([0xff, 0x40]),
];
const dns = [
  'uid=ann,ou=People,dc=acme,dc=example,o=internet',
  'UID = Ann , OU=people,DC=ACME,dc=example,o=Internet',
  "uid=bob,o=internet#'0101'B",
  'cn=a+uid=b,o=internet',
  'cn=Roe\\2C Rick,o=internet',
  '2.5.4.3=oid,o=internet',
  'dc=Other,dc=example,o=internet',
  'no dn',
  '',
];
const accesses = [
  '-imap:*',
  ' +IMAP EXCEPT imaps,smtp:192.0.2.0/24 except 192.0.2.1,2001:db8::/32$-ALL:*',
  '-pop3:*',
  '',
];
const limits = ['0', '100', '-1', '1000000001', '1.5', ' 7 ', 'many', ''];
const quotas = ['0', '2g', ' 10 K', '-1', '-2', '-3', '1M;#Trash:1', '1.5G', '9007199254740992', ''];
const hosts = ['Mail.Example', ' mail ', '192.0.2.1', '[192.0.2.1]:25', '2001:db8::1', '[a.example]', 'a_b', 'a b', ''];
const domainNames = ['Acme.Example', 'b\u00fccher.example', '[127.0.0.1]', 'a b', ''];
const texts = ['Closed', ' first\r\nsecond ', 'f\u00fcr immer', 'x'.repeat(1000), ''];
const classes = {
  domain: ['domain', 'inetDomain', 'mailDomain'],
  alias: ['domain', 'inetDomainAlias'],
  user: ['inetOrgPerson', 'inetUser', 'inetMailUser', 'inetLocalMailRecipient'],
  local: ['inetOrgPerson', 'inetLocalMailRecipient'],
  group: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
  both: ['inetMailGroup', 'inetMailUser'],
  none: ['inetOrgPerson'],
};

const DOMAIN = 'dc=Acme,dc=example,o=internet';
const domains: readonly Entry[] = [
  ...[classes.domain, classes.alias, classes.none].map((objectClass) => entry(DOMAIN, { objectClass })),
  ...['dc=a_b,dc=example,o=internet', 'ou=acme,o=internet', 'o=internet', 'dc=xn--bcher-kva,dc=example,o=internet'].map(
    (dn) => entry(dn, { objectClass: classes.domain }),
  ),
  ...[
    ...statuses,
    ...dns.map((inetDomainBaseDN) => ({ inetDomainBaseDN })),
    ...addresses.map((mailDomainCatchallAddress) => ({ mailDomainCatchallAddress })),
    { mailDomainCatchallAddress: ['no address', 'second@acme.example', 'third@acme.example'] },
    { mailRoutingHosts: ['Mail.Example', ' other.example '] },
    ...accesses.map((mailDomainAllowedServiceAccess) => ({ mailDomainAllowedServiceAccess })),
    ...limits.map((waypostRecipientsPerHour) => ({ waypostRecipientsPerHour })),
    ...hosts.flatMap((host) => [{ mailRoutingHosts: host }, { mailRoutingSmartHost: host }]),
    { mailRoutingHosts: hosts },
    ...domainNames.flatMap((name) => [{ inetCanonicalDomainName: name }, { associatedDomain: name }]),
    ...dns.map((aliasedObjectName) => ({ aliasedObjectName })),
    ...texts.map((waypostDisabledText) => ({ waypostDisabledText })),
    ...['mx', ' MX ', 'sideways', ''].map((waypostRoute) => ({ waypostRoute })),
    ...['message', 'cn=Directory Manager'].flatMap((waypostDomainOrigin) =>
      ['', 'defined', 'published', 'active'].map((waypostDomainState) =>
        waypostDomainState === '' ? { waypostDomainOrigin } : { waypostDomainOrigin, waypostDomainState },
      ),
    ),
    ...limits.map((mailDomainMsgMaxBlocks) => ({ mailDomainMsgMaxBlocks })),
    ...quotas.flatMap((quota) => [{ mailQuota: quota }, { mailMsgQuota: quota }, { mailDomainDiskQuota: quota }]),
    ...quotas.map((mailDomainMsgQuota) => ({ mailDomainMsgQuota })),
    each(unsupportedAttributes.domain),
  ].map((values) => entry(DOMAIN, { objectClass: classes.domain, ...values })),
  ...[{}, { inetDomainStatus: 'deleted', associatedDomain: 'b.example' }].map((values) =>
    entry(DOMAIN, { objectClass: ['domain', 'inetDomain'], ...values }),
  ),
];

const urls = [
  'ldap:///o=Internet??sub?(cn=a)',
  'ldap://other.example/o=internet',
  'ldap:///??sub',
  'nobody@acme.example',
];
const parties = [
  'UID=Ann, o=internet',
  'Ann@Acme.example',
  'mailto:ann%40acme.example?subject=x',
  'mailto:%',
  'x',
  ...urls,
];
const policies = ['AUTH_REQ', 'smtp_auth_required, OR', 'PASSWORD_REQUIRED', 'AND no_requirements', 'nonsense', ''];
const options = ['mailbox', 'MEMBERS', ' forward ', 'members', 'hold', 'shared', 'members_offline', 'nonsense', ''];
const recipients: readonly Entry[] = [
  'uid=ann,ou=People,dc=acme,dc=example,o=internet',
  'uid=postmaster,ou=Waypost,o=internet',
].flatMap((dn) =>
  Object.values(classes).flatMap((objectClass) =>
    [
      {},
      ...statuses,
      ...addresses.flatMap((address) => [
        { mail: address },
        { mail: 'ann@acme.example', mailAlternateAddress: address },
        { mail: 'ann@acme.example', mailEquivalentAddress: address },
        { mgrpRFC822MailMember: address },
      ]),
      { mail: addresses, mailAlternateAddress: addresses, mailEquivalentAddress: addresses },
      { memberURL: urls, mgrpDeliverTo: urls },
      ...parties.flatMap((party) => [
        { mgrpAllowedBroadcaster: party },
        { mgrpDisallowedBroadcaster: party },
        { mgrpModerator: party, mgrpMsgRejectAction: 'ToModerator' },
      ]),
      { mgrpAllowedBroadcaster: parties, mgrpModerator: parties },
      { mgrpAllowedDomain: domainNames, mgrpDisallowedDomain: ['*.Example', ''] },
      ...policies.map((mgrpBroadcasterPolicy) => ({ mgrpBroadcasterPolicy })),
      ...limits.map((mgrpMsgMaxSize) => ({ mgrpMsgMaxSize })),
      ...texts.map((mgrpMsgRejectText) => ({ mgrpMsgRejectText, mgrpModerator: 'ann@acme.example' })),
      { mgrpMsgRejectAction: 'nonsense', mgrpModerator: 'ann@acme.example' },
      ...options.map((mailDeliveryOption) => ({ mailDeliveryOption })),
      { mailDeliveryOption: options },
      { mailDeliveryOption: ['program', 'mailbox'], mailProgramDeliveryInfo: [' Archive ', 'count', ''] },
      { mailDeliveryOption: ['shared', 'members'], waypostSharedMailbox: addresses },
      ...['file:///lists/ann', ' ann/ ', '../ann', '/etc/passwd', 'ann.lock', ''].map((mailDeliveryFileURL) => ({
        mailDeliveryOption: 'file',
        mailDeliveryFileURL,
      })),
      ...hosts.map((mailHost) => ({ mailHost })),
      { mailHost: hosts },
      ...addresses.map((mailRoutingAddress) => ({ mailRoutingAddress })),
      ...limits.map((mailMsgMaxBlocks) => ({ mailMsgMaxBlocks })),
      ...quotas.flatMap((quota) => [{ mailQuota: quota }, { mailMsgQuota: quota }]),
      ...texts.map((mailRejectText) => ({ mailRejectText })),
      ...accesses.map((mailAllowedServiceAccess) => ({ mailAllowedServiceAccess })),
      ...limits.map((waypostRecipientsPerHour) => ({ waypostRecipientsPerHour })),
      each(unsupportedAttributes.user),
      each(unsupportedAttributes.group),
    ].map((values) => entry(dn, { objectClass, ...values })),
  ),
);

test('the rows are those of this version', () => {
  const hash = createHash('sha256');
  let rows = 0;
  const note = (row: unknown): void => {
    if (row !== undefined) rows++;
    hash.update(`${JSON.stringify(row) ?? ''}\n`);
  };
  for (const each of domains) note(compileDomain(each));
  for (const each of recipients)
    for (const owned of [[], ['acme.example'], ['acme.example', 'xn--bcher-kva.example', 'sales.acme.example']])
      note(compileRecipient(each, { domains: owned, account: idOf(7) }));
  assert.ok(rows > 2000, `only ${rows} rows`);
  const digest = hash.digest('hex').slice(0, 32);
  assert.equal(
    digest,
    digests[COMPILER_VERSION],
    `version ${COMPILER_VERSION} of the compiler gives other rows than it did: raise COMPILER_VERSION in compile.ts and ` +
      'note the new digest here',
  );
});
