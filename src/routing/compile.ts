// Entry -> rows: what a domain, user or group entry says about routing, in the form that delivery needs.
//
// In      one entry; for a recipient also the domains whose base holds it, and its account
// Out     its row, with what could not be used named as problems; undefined when the entry says nothing about mail
// Never   reads a table: a row is a function of what is passed in, so the tables can be thrown away and compiled again

import { asciiLower } from '../base/characters.ts';
import { Failure } from '../base/failure.ts';
import type { AccountId } from '../base/ids.ts';
import { parseAccessRules } from '../directory/access-rules.ts';
import { normalizeDn, SUFFIX } from '../directory/dn.ts';
import { type Entry, hasClass, textValue, textValues } from '../directory/entry.ts';
import { mailDomainOf } from '../directory/mail-domain.ts';
import { type Address, addressKey, formatAddress, tryParseAddress } from '../message/address.ts';
import type { OwnAdmission } from './admission.ts';
import { deliveryOptions, unsupportedAttributes } from './attributes.ts';
import { type Access, type Problem, type RecipientRow, type RouteRow, SITE_POSTMASTER, type Status } from './rows.ts';
import { legalStatuses, parseStatusValue, type StatusAttribute } from './status.ts';

/**
 * Goes up with any change that gives other rows for the same entries: the tables are then compiled anew at the next
 * start. compile-version.test.ts knows what each version gives.
 */
export const COMPILER_VERSION = 3;

/** The entry that the first start makes: mail for the postmaster of everything goes to its account. */
export const SITE_POSTMASTER_DN = `uid=postmaster,ou=Waypost,${SUFFIX}`;
export const SITE_POSTMASTER_NORMALIZED = normalizeDn(SITE_POSTMASTER_DN);

export function compileDomain(entry: Entry): RouteRow | undefined {
  const domain = mailDomainOf(entry);
  if (domain === undefined) return undefined;
  const problems: Problem[] = [];
  return withoutAbsent({
    domain,
    base: baseOf(entry, problems),
    inetDomainStatus: statusOf(entry, 'inetDomainStatus', problems),
    mailDomainStatus: statusOf(entry, 'mailDomainStatus', problems),
    access: accessOf(entry, 'mailDomainAllowedServiceAccess', problems),
    recipientsPerHour: recipientsPerHourOf(entry, problems),
    catchall: addressesOf(entry, 'mailDomainCatchallAddress', problems)[0],
    routingHosts: orAbsent(textValues(entry, 'mailroutinghosts').map(hostOf)),
    unsupported: orAbsent(presentOf(entry, unsupportedAttributes.domain)),
    unsupportedForUnclaimed: orAbsent(presentOf(entry, unsupportedAttributes.unclaimed)),
    problems: orAbsent(problems),
  });
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
export function recipientKindOf(entry: Entry): RecipientKind | undefined {
  if (hasClass(entry, 'inetmailgroup')) return 'group';
  return hasClass(entry, 'inetmailuser') || hasClass(entry, 'inetlocalmailrecipient') ? 'user' : undefined;
}

export interface Placement {
  /** The domains whose base holds the entry, and no deeper base does: only their addresses route to it. */
  readonly domains: readonly string[];
  /** Of a user entry. */
  readonly account: AccountId;
}

export function compileRecipient(entry: Entry, placement: Placement): RecipientRow | undefined {
  const kind = recipientKindOf(entry);
  if (kind === undefined) return undefined;
  const problems: Problem[] = [];
  const addresses = ownAddresses(entry, ['mail', 'mailAlternateAddress'], placement.domains, problems);
  if (entry.normalizedDn === SITE_POSTMASTER_NORMALIZED) addresses.unshift(SITE_POSTMASTER);
  const equivalents = ownAddresses(entry, ['mailEquivalentAddress'], placement.domains, problems);
  const shared = {
    entry: entry.id,
    dn: entry.dn,
    addresses,
    equivalents: orAbsent(equivalents.filter((key) => !addresses.includes(key))),
    access: accessOf(entry, 'mailAllowedServiceAccess', problems),
    mailHost: textValues(entry, 'mailhost').map(hostOf)[0],
    unsupported: orAbsent([...presentOf(entry, unsupportedAttributes[kind]), ...laterOptionsOf(entry, kind, problems)]),
  };
  if (kind === 'user')
    return withoutAbsent({
      kind,
      ...shared,
      account: placement.account,
      recipientsPerHour: recipientsPerHourOf(entry, problems),
      inetUserStatus: statusOf(entry, 'inetUserStatus', problems),
      mailUserStatus: statusOf(entry, 'mailUserStatus', problems),
      problems: orAbsent(problems),
    });
  return withoutAbsent({
    kind,
    ...shared,
    inetMailGroupStatus: statusOf(entry, 'inetMailGroupStatus', problems),
    members: orAbsent(memberDns(entry, problems)),
    addressMembers: orAbsent(addressesOf(entry, 'mgrpRFC822MailMember', problems)),
    problems: orAbsent(problems),
  });
}

/** Keys of the addresses in these attributes that lie in one of the domains. */
function ownAddresses(
  entry: Entry,
  attributes: readonly string[],
  domains: readonly string[],
  problems: Problem[],
): string[] {
  const keys = new Set<string>();
  for (const attribute of attributes) {
    for (const value of textValues(entry, asciiLower(attribute))) {
      const address = addressOf(value);
      if (address !== undefined && domains.includes(address.domain)) keys.add(addressKey(address));
      else if (address === undefined) problems.push({ attribute, value, reason: 'is not an address' });
      // The site postmaster stands outside all domains, and that is right.
      else if (entry.normalizedDn !== SITE_POSTMASTER_NORMALIZED)
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
  for (const value of textValues(entry, asciiLower(attribute))) {
    const address = addressOf(value);
    if (address === undefined) problems.push({ attribute, value, reason: 'is not an address' });
    else texts.add(formatAddress(address));
  }
  return [...texts];
}

/** RFC 4517 §3.3.21: a name, perhaps with a bit string that distinguishes it from an earlier holder of the same name. */
const OPTIONAL_UID = /#'[01]*'B$/;

function memberDns(entry: Entry, problems: Problem[]): string[] {
  const dns = new Set<string>();
  for (const value of textValues(entry, 'uniquemember')) {
    const dn = tryNormalizeDn(value.replace(OPTIONAL_UID, ''));
    if (dn === undefined || dn === '') problems.push({ attribute: 'uniqueMember', value, reason: 'is not a DN' });
    else dns.add(dn);
  }
  return [...dns];
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
  const value = textValue(entry, asciiLower(attribute));
  if (value === undefined) return undefined;
  const status = parseStatusValue(attribute, value);
  if (typeof status !== 'string')
    problems.push({ attribute, value, reason: `is none of ${legalStatuses[attribute].join(', ')}` });
  return status;
}

function accessOf(entry: Entry, attribute: string, problems: Problem[]): Access | undefined {
  const value = textValue(entry, asciiLower(attribute));
  if (value === undefined) return undefined;
  const parsed = parseAccessRules(value);
  if ('rules' in parsed) return parsed.rules;
  problems.push({ attribute, value, reason: parsed.problem });
  return { illegal: value };
}

/** More than anybody sends; and no rule of arithmetic fails for it. */
const RECIPIENTS_PER_HOUR_MAX = 1_000_000_000;

function recipientsPerHourOf(entry: Entry, problems: Problem[]): number | undefined {
  const value = textValue(entry, 'waypostrecipientsperhour');
  if (value === undefined) return undefined;
  const count = Number(value);
  if (value !== '' && count >= 0 && count <= RECIPIENTS_PER_HOUR_MAX && Number.isInteger(count)) return count;
  const reason = `is no number from 0 to ${RECIPIENTS_PER_HOUR_MAX}`;
  problems.push({ attribute: 'waypostRecipientsPerHour', value, reason });
  return undefined;
}

/** What an entry without a row says of itself. */
export function ownAdmissionOf(entry: Entry): OwnAdmission {
  const of = (attribute: StatusAttribute): Status | undefined => statusOf(entry, attribute, []);
  return withoutAbsent({
    inetUserStatus: of('inetUserStatus'),
    mailUserStatus: of('mailUserStatus'),
    access: accessOf(entry, 'mailAllowedServiceAccess', []),
  });
}

/** Values of mailDeliveryOption that are legal and not built yet, as `mailDeliveryOption: forward`. */
function laterOptionsOf(entry: Entry, kind: RecipientKind, problems: Problem[]): string[] {
  const meanings: ReadonlyMap<string, 'acts' | 'later'> = new Map(Object.entries(deliveryOptions[kind]));
  const later: string[] = [];
  for (const value of textValues(entry, 'maildeliveryoption')) {
    const option = asciiLower(value.trim());
    const meaning = meanings.get(option);
    if (meaning === 'later') later.push(`mailDeliveryOption: ${option}`);
    else if (meaning === undefined)
      problems.push({ attribute: 'mailDeliveryOption', value, reason: `is not an option of a ${kind}` });
  }
  return later;
}

function presentOf(entry: Entry, names: readonly string[]): string[] {
  return names.filter((name) => entry.attributes.has(asciiLower(name)));
}

function hostOf(value: string): string {
  return asciiLower(value.trim());
}

function orAbsent<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}

type WithoutAbsent<T> = {
  [K in keyof T as undefined extends T[K] ? never : K]: T[K];
} & { [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined> };

/** A row says nothing about what its entry does not say. */
function withoutAbsent<T extends object>(row: T): WithoutAbsent<T> {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => value !== undefined)) as WithoutAbsent<T>;
}
