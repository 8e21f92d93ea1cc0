// Entry -> rows: what a domain, user or group entry says about routing, in the form that delivery needs.
//
// In      one entry; for a recipient also the domains whose base holds it, and its account
// Out     its row, with what could not be used named as problems; undefined when the entry says nothing about mail
// Never   reads a table: a row is a function of what is passed in, so the tables can be thrown away and compiled again

import { isIP } from 'node:net';
import { asciiLower } from '../base/characters.ts';
import { Failure } from '../base/failure.ts';
import type { AccountId } from '../base/ids.ts';
import { parseAccessRules } from '../directory/access-rules.ts';
import { ADDRESS_ATTRIBUTES } from '../directory/address-attributes.ts';
import { attributeKey } from '../directory/attribute-name.ts';
import { domainOfDcDn, normalizeDn } from '../directory/dn.ts';
import { type Entry, hasClass, textValue, textValues } from '../directory/entry.ts';
import { legalStatuses } from '../directory/legal-values.ts';
import { bareDomainOf, mailDomainOf } from '../directory/mail-domain.ts';
import { isByName, mailView } from '../directory/mail-view.ts';
import type { MemberValue } from '../directory/member-values.ts';
import { ofSuffix } from '../directory/suffix.ts';
import {
  type Address,
  addressKey,
  formatAddress,
  isValidDomain,
  normalizeDomain,
  tryParseAddress,
} from '../message/address.ts';
import type { OwnAdmission } from './admission.ts';
import { unsupportedAttributes } from './attributes.ts';
import { compileList } from './compile-list.ts';
import { compileOptions } from './compile-options.ts';
import { submissionOf } from './compile-submission.ts';
import { formatHops, HOPS_MAX, type Hop, parseHop } from './destination.ts';
import { expiryOf } from './expiry.ts';
import { type Here, hostElsewhere } from './here.ts';
import { quotaOf } from './quota.ts';
import { replyTextOf } from './replies.ts';
import { type Access, type Problem, type RecipientRow, type RouteRow, SITE_POSTMASTER, type Status } from './rows.ts';
import { parseStatusValue, type StatusAttribute } from './status.ts';

/**
 * Goes up with any change that gives other rows for the same entries: the tables are then compiled anew at the next
 * start. compile-version.test.ts knows what each version gives.
 */
export const COMPILER_VERSION = 7;

/** The entry that the first start makes: mail for the postmaster of everything goes to its account. */
export const sitePostmasterDn = ofSuffix((suffix) => `uid=postmaster,ou=Waypost,${suffix}`);
const normalizedPostmaster = ofSuffix(() => normalizeDn(sitePostmasterDn()));

export function isSitePostmaster({ normalizedDn }: Pick<Entry, 'normalizedDn'>): boolean {
  return normalizedDn === normalizedPostmaster();
}

export function compileDomain(entry: Entry): RouteRow | undefined {
  const domain = mailDomainOf(entry);
  if (domain === undefined) return withoutMail(entry);
  const problems: Problem[] = [];
  const aliasOf = aliasedDomain(entry, problems);
  // Rows of their own: here only what is no name.
  domainsOf(entry, ASSOCIATED, problems);
  if (aliasOf !== undefined) return withoutAbsent({ domain, base: '', aliasOf, problems: orAbsent(problems) });
  expiryOf(entry, problems);
  return withoutAbsent({
    domain,
    base: baseOf(entry, problems),
    canonical: renamedFrom(entry) ?? domainsOf(entry, 'inetCanonicalDomainName', problems)[0],
    inetDomainStatus: statusOf(entry, 'inetDomainStatus', problems),
    mailDomainStatus: statusOf(entry, 'mailDomainStatus', problems),
    access: accessOf(entry, 'mailDomainAllowedServiceAccess', problems),
    recipientsPerHour: recipientsPerHourOf(entry, problems),
    disabledText: replyTextOf(textValue(entry, 'waypostdisabledtext')),
    catchall: addressesOf(entry, 'mailDomainCatchallAddress', problems)[0],
    routingHosts: orAbsent(routingHostsOf(entry, problems)),
    isMx: isByMx(entry, problems),
    smartHost: smartHostOf(entry, problems),
    sizeMax: sizeMaxOf(entry, 'mailDomainMsgMaxBlocks', problems),
    userQuota: quotaOf(entry, 'mailQuota', 'mailMsgQuota', problems),
    quota: quotaOf(entry, 'mailDomainDiskQuota', 'mailDomainMsgQuota', problems),
    ...sourceOf(entry),
    ...broughtOf(entry),
    unsupported: orAbsent(unsupportedOf(entry, unsupportedAttributes.domain, problems)),
    problems: orAbsent(problems),
  });
}

/** People who have no address under the new name yet are found by the old one. */
function renamedFrom(entry: Entry): string | undefined {
  return textValue(entry, 'waypostrenamedfrom');
}

function withoutMail(entry: Entry): RouteRow | undefined {
  const domain = bareDomainOf(entry);
  return domain === undefined ? undefined : { domain, base: '', isWithoutMail: true };
}

/** `waypostSource` of a domain whose people are entries of another directory; and of one that was of it. */
export const LDAP_SOURCE_MARK = 'ldap:';
export const UNLISTED_MARK = 'unlisted:';

function sourceOf(entry: Entry): Pick<RouteRow, 'source' | 'isUnlisted'> {
  const mark = textValue(entry, 'waypostsource') ?? '';
  if (mark.startsWith(LDAP_SOURCE_MARK)) return { source: mark.slice(LDAP_SOURCE_MARK.length) };
  return mark.startsWith(UNLISTED_MARK) ? { source: mark.slice(UNLISTED_MARK.length), isUnlisted: true } : {};
}

/** The origin of a domain that a message has brought. */
export const MESSAGE_ORIGIN = 'message';

function broughtOf(entry: Entry): Pick<RouteRow, 'isBrought' | 'isComing'> {
  if (textValue(entry, 'waypostdomainorigin') !== MESSAGE_ORIGIN) return {};
  const state = textValue(entry, 'waypostdomainstate');
  return { isBrought: true, ...(state === undefined || state === 'active' ? {} : { isComing: true }) };
}

/** What of a policy's values a new domain could not use. */
export function newDomainProblems(policy: Entry): readonly Problem[] {
  const problems: Problem[] = [];
  addressesOf(policy, 'mailDomainCatchallAddress', problems);
  routingHostsOf(policy, problems);
  smartHostOf(policy, problems);
  baseOf(policy, problems);
  return problems;
}

const ASSOCIATED = 'associatedDomain';

/** Further names of the domain that this entry makes; none for an entry that makes none. See associated-domains.ts. */
export function associatedDomainsOf(entry: Entry): readonly string[] {
  const own = mailDomainOf(entry);
  return own === undefined ? [] : domainsOf(entry, ASSOCIATED, []).filter((domain) => domain !== own);
}

/**
 * The domain that this one is an alias of; `''` where none can be read. Undefined for a domain of its own, as is a node of
 * the alias class with a base but without the name of another: it has attributes of its own for the same entries.
 */
function aliasedDomain(entry: Entry, problems: Problem[]): string | undefined {
  const attribute = 'aliasedObjectName';
  const value = textValue(entry, attributeKey(attribute));
  if (value === undefined) {
    if (hasClass(entry, 'maildomain') || entry.attributes.has('inetdomainbasedn')) return undefined;
    problems.push({ attribute: 'objectClass', value: 'inetDomainAlias', reason: `${attribute} is missing` });
    return '';
  }
  const dn = tryNormalizeDn(value);
  const domain = dn === undefined ? undefined : domainOfDcDn(dn);
  if (domain !== undefined && isValidDomain(domain)) return domain;
  problems.push({ attribute, value, reason: 'is not the DN of a domain in the DC tree' });
  return '';
}

function isByMx(entry: Entry, problems: Problem[]): true | undefined {
  const value = textValue(entry, 'waypostroute');
  if (value === undefined || asciiLower(value.trim()) === 'mx') return value === undefined ? undefined : true;
  problems.push({ attribute: 'waypostRoute', value, reason: 'is not mx' });
  return undefined;
}

function smartHostOf(entry: Entry, problems: Problem[]): string | undefined {
  const attribute = 'mailRoutingSmartHost';
  const value = textValue(entry, attributeKey(attribute));
  if (value === undefined) return undefined;
  const hop = hopOf(value);
  if (hop !== undefined) return formatHops([hop]);
  problems.push({ attribute, value, reason: NOT_A_HOST });
  return undefined;
}

function baseOf(entry: Entry, problems: Problem[]): string {
  const value = textValue(entry, 'inetdomainbasedn');
  if (value === undefined) return entry.normalizedDn;
  const base = tryNormalizeDn(value);
  if (base !== undefined && base !== '') return base;
  problems.push({ attribute: 'inetDomainBaseDN', value, reason: 'is not a DN' });
  return entry.normalizedDn;
}

export type RecipientKind = RecipientRow['kind'];

/** What mail finds in this entry. A group that claims to be a user too is a group. */
export function recipientKindOf(stored: Entry): RecipientKind | undefined {
  const entry = mailView(stored);
  if (hasClass(entry, 'inetmailgroup')) return 'group';
  return hasClass(entry, 'inetmailuser') || hasClass(entry, 'inetlocalmailrecipient') ? 'user' : undefined;
}

export interface Placement {
  /** The domains whose base holds the entry, and no deeper base does: only their addresses route to it. */
  readonly domains: readonly string[];
  /** Of a user, or of a group with a shared mailbox; 0: there is none here. */
  readonly account: AccountId;
  /** Of a list: members in whose values mail can read nothing; the first of them are enough. */
  readonly unusable?: readonly MemberValue[];
}

export function compileRecipient(stored: Entry, placement: Placement): RecipientRow | undefined {
  const entry = mailView(stored);
  const kind = recipientKindOf(entry);
  if (kind === undefined) return undefined;
  const problems: Problem[] = [];
  const addresses = ownAddresses(entry, placement.domains, problems);
  if (isSitePostmaster(entry)) addresses.unshift(SITE_POSTMASTER);
  const shared = {
    entry: entry.id,
    uuid: entry.uuid,
    dn: entry.dn,
    addresses,
    isByName: isByName(entry) ? (true as const) : undefined,
    access: accessOf(entry, 'mailAllowedServiceAccess', problems),
    mailHost: mailHostOf(entry, problems),
    routingAddress: addressesOf(entry, 'mailRoutingAddress', problems)[0],
    sizeMax: sizeMaxOf(entry, 'mailMsgMaxBlocks', problems),
  };
  const options = compileOptions(entry, kind, problems);
  const unsupported = unsupportedOf(entry, unsupportedAttributes[kind], problems);
  if (kind === 'user') {
    // What is none of these rules is named; the others are read where they are carried out.
    expiryOf(entry, problems);
    return withoutAbsent({
      kind,
      ...shared,
      unsupported: orAbsent(unsupported),
      ...options,
      account: placement.account,
      quota: quotaOf(entry, 'mailQuota', 'mailMsgQuota', problems),
      recipientsPerHour: recipientsPerHourOf(entry, problems),
      inetUserStatus: statusOf(entry, 'inetUserStatus', problems),
      mailUserStatus: statusOf(entry, 'mailUserStatus', problems),
      ...submissionOf(entry, problems),
      problems: orAbsent(problems),
    });
  }
  for (const { attribute, value } of placement.unusable ?? []) problems.push(unusableMember(attribute, value));
  const list = compileList(entry, problems);
  return withoutAbsent({
    kind,
    ...shared,
    unsupported: orAbsent([...unsupported, ...list.unsupported]),
    ...options,
    account: hasSharedMailbox(entry) && placement.account !== 0 ? placement.account : undefined,
    inetMailGroupStatus: statusOf(entry, 'inetMailGroupStatus', problems),
    disabledText: replyTextOf(textValue(entry, 'mailrejecttext')),
    urls: orAbsent(list.urls),
    rules: list.rules,
    texts: list.texts,
    problems: orAbsent(problems),
  });
}

/** Whether the entry is a user, or a group with a shared mailbox, on this host: then it has an account. */
export function hasAccountHere(stored: Entry, here: Here): boolean {
  const entry = mailView(stored);
  if (recipientKindOf(entry) !== 'user' && !hasSharedMailbox(entry)) return false;
  return hostElsewhere(mailHostOf(entry), here) === undefined;
}

function hasSharedMailbox(entry: Entry): boolean {
  const options = textValues(entry, 'maildeliveryoption').map((value) => asciiLower(value.trim()));
  return recipientKindOf(entry) === 'group' && options.includes('shared');
}

/** The host that has the mailbox; undefined where the entry does not say. */
function mailHostOf(entry: Entry, problems: Problem[] = []): string | undefined {
  return hostsOf(entry, 'mailHost', problems)[0];
}

/** Keys of the entry's addresses that lie in one of the domains. */
function ownAddresses(entry: Entry, domains: readonly string[], problems: Problem[]): string[] {
  const keys = new Set<string>();
  for (const attribute of ADDRESS_ATTRIBUTES) {
    for (const value of textValues(entry, attributeKey(attribute))) {
      const address = addressOf(value);
      if (address !== undefined && domains.includes(address.domain)) keys.add(addressKey(address));
      else if (address === undefined) problems.push({ attribute, value, reason: 'is not an address' });
      // The site postmaster stands outside all domains, and that is right.
      else if (!isSitePostmaster(entry))
        problems.push({ attribute, value, reason: "this entry does not lie below the address's domain" });
    }
  }
  return [...keys];
}

/** Spaces around it mean nothing: a filter does not see them either (RFC 4518 §2.6.1). */
function addressOf(value: string): Address | undefined {
  return tryParseAddress(value.trim());
}

/** Addresses that lead elsewhere, as SMTP writes them. */
function addressesOf(entry: Entry, attribute: string, problems: Problem[]): string[] {
  const texts = new Set<string>();
  for (const value of textValues(entry, attributeKey(attribute))) {
    const address = addressOf(value);
    if (address === undefined) problems.push({ attribute, value, reason: 'is not an address' });
    else texts.add(formatAddress(address));
  }
  return [...texts];
}

function unusableMember(key: MemberValue['attribute'], value: string): Problem {
  const attribute = { uniquemember: 'uniqueMember', member: 'member', mgrprfc822mailmember: 'mgrpRFC822MailMember' }[
    key
  ];
  return { attribute, value, reason: key === 'mgrprfc822mailmember' ? 'is not an address' : 'is not a DN' };
}

function tryNormalizeDn(text: string): string | undefined {
  try {
    return normalizeDn(text);
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

function statusOf(entry: Entry, attribute: StatusAttribute, problems: Problem[]): Status | undefined {
  const value = textValue(entry, attributeKey(attribute));
  if (value === undefined) return undefined;
  const status = parseStatusValue(attribute, value);
  if (typeof status !== 'string')
    problems.push({ attribute, value, reason: `is none of ${legalStatuses[attribute].join(', ')}` });
  return status;
}

function accessOf(entry: Entry, attribute: string, problems: Problem[]): Access | undefined {
  const value = textValue(entry, attributeKey(attribute));
  if (value === undefined) return undefined;
  const parsed = parseAccessRules(value);
  if ('rules' in parsed) return parsed.rules;
  problems.push({ attribute, value, reason: parsed.problem });
  return { illegal: value };
}

/** More than anybody sends; and no rule of arithmetic fails for it. */
const RECIPIENTS_PER_HOUR_MAX = 1_000_000_000;

function recipientsPerHourOf(entry: Entry, problems: Problem[]): number | undefined {
  return countOf(entry, 'waypostRecipientsPerHour', RECIPIENTS_PER_HOUR_MAX, problems);
}

const BLOCK_BYTES = 1024;
/** A tebibyte in blocks: no message has more. */
const BLOCKS_MAX = 2 ** 30;

function sizeMaxOf(entry: Entry, attribute: string, problems: Problem[]): number | undefined {
  const blocks = countOf(entry, attribute, BLOCKS_MAX, problems);
  return blocks === undefined ? undefined : blocks * BLOCK_BYTES;
}

function countOf(entry: Entry, attribute: string, max: number, problems: Problem[]): number | undefined {
  const value = textValue(entry, attributeKey(attribute));
  if (value === undefined) return undefined;
  const count = Number(value);
  if (value !== '' && count >= 0 && count <= max && Number.isInteger(count)) return count;
  problems.push({ attribute, value, reason: `is no number from 0 to ${max}` });
  return undefined;
}

/** What an entry without a row says of itself. */
export function ownAdmissionOf(stored: Entry): OwnAdmission {
  const entry = mailView(stored);
  const of = (attribute: StatusAttribute): Status | undefined => statusOf(entry, attribute, []);
  return withoutAbsent({
    inetUserStatus: of('inetUserStatus'),
    mailUserStatus: of('mailUserStatus'),
    access: accessOf(entry, 'mailAllowedServiceAccess', []),
  });
}

/** Those that the entry has. Its mail waits, so they are named. */
function unsupportedOf(entry: Entry, names: readonly string[], problems: Problem[]): string[] {
  const present = names.filter((name) => entry.attributes.has(attributeKey(name)));
  for (const attribute of present)
    problems.push({ attribute, value: '', reason: 'is not carried out: its mail gets 451' });
  return present;
}

const NOT_A_HOST = 'is not the name or the address of a host';

/** An address needs no brackets here: nothing but a host can stand in these attributes. */
function hopOf(value: string): Hop | undefined {
  const text = value.trim();
  return parseHop(isIP(text) === 0 ? text : `[${text}]`);
}

/** Names in lower case, and IP addresses without brackets; a port is the host entry's to say. */
function hostsOf(entry: Entry, attribute: string, problems: Problem[]): string[] {
  const hosts = new Set<string>();
  for (const value of textValues(entry, attributeKey(attribute))) {
    const hop = hopOf(value);
    if (hop === undefined || hop.port !== undefined) problems.push({ attribute, value, reason: NOT_A_HOST });
    else hosts.add(hop.host);
  }
  return [...hosts];
}

function routingHostsOf(entry: Entry, problems: Problem[]): string[] {
  const attribute = 'mailRoutingHosts';
  const hosts = hostsOf(entry, attribute, problems);
  for (const value of hosts.slice(HOPS_MAX))
    problems.push({ attribute, value, reason: `is one more than ${HOPS_MAX}` });
  return hosts.slice(0, HOPS_MAX);
}

function domainsOf(entry: Entry, attribute: string, problems: Problem[]): string[] {
  const domains = new Set<string>();
  for (const value of textValues(entry, attributeKey(attribute))) {
    const domain = normalizeDomain(value.trim());
    if (domain === undefined) problems.push({ attribute, value, reason: 'is not a domain name' });
    else domains.add(domain);
  }
  return [...domains];
}

function orAbsent<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

type WithoutAbsent<T> = {
  [K in keyof T as undefined extends T[K] ? never : K]: T[K];
} & { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> };

/** A row says nothing about what its entry does not say. */
function withoutAbsent<T extends object>(row: T): WithoutAbsent<T> {
  const said: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(row)) if (value !== undefined) said[key] = value;
  return said as WithoutAbsent<T>;
}
