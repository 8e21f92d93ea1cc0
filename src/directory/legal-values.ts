// Which values mean something, where the syntax says less: closed lists of words, quotas, service rules, addresses, hosts.
//
// In      an attribute's key and a value that has its syntax
// Out     undefined; or what is legal, for the text of a refusal
// Never   looks at a value that is there already: what came in before this rule, or from another directory, stays and is
//         named by `directory check`. Whether a legal value acts is routing's to say
// Letter case and blanks round a value mean nothing

import { isIP } from 'node:net';
import { asciiLower, DIGIT, isAll } from '../base/characters.ts';
import { DURATION_TEXT, DURATION_WORDS } from '../base/duration.ts';
import { asFailure } from '../base/failure.ts';
import { normalizeDomain, tryParseAddress } from '../message/address.ts';
import { parseFilter } from '../wire/ldap/filter-text.ts';
import { parseAccessRules } from './access-rules.ts';
import type { AttributeValue } from './entry.ts';
import { EXPIRY_WORDS, parseExpiry } from './expiry-value.ts';
import { type LdapUrl, parseLdapUrl } from './ldap-url.ts';
import { partyOf } from './list-party.ts';
import { secretIn, unanswerableIn } from './match.ts';
import { parseLimit } from './quota-value.ts';

/** The words that each level of status knows. */
export const legalStatuses = {
  inetDomainStatus: ['active', 'inactive', 'deleted', 'removed'],
  mailDomainStatus: ['active', 'inactive', 'disabled', 'deleted', 'removed', 'hold', 'overquota'],
  inetUserStatus: ['active', 'inactive', 'deleted', 'removed'],
  mailUserStatus: ['active', 'inactive', 'disabled', 'deleted', 'removed', 'hold', 'overquota'],
  inetMailGroupStatus: ['active', 'inactive', 'disabled', 'deleted', 'removed'],
} as const;

/** `native` and `unix` mean nothing here: other servers of the lineage deliver by them. */
export const legalOptions = [
  'autoreply',
  'file',
  'forward',
  'hold',
  'mailbox',
  'members',
  'members_offline',
  'native',
  'program',
  'shared',
  'unix',
] as const;

const BROADCASTER_WORDS = [
  'SMTP_AUTH_REQUIRED',
  'AUTH_REQ',
  'PASSWORD_REQUIRED',
  'PASSWD_REQUIRED',
  'PASSWD_REQ',
  'NO_REQUIREMENTS',
  'OR',
  'AND',
];

/** What is wrong with a value, undefined where nothing is. */
type Judge = (value: string) => string | undefined;

const JUDGES: ReadonlyMap<string, Judge> = new Map<string, Judge>([
  ...Object.entries(legalStatuses).map(([name, words]): [string, Judge] => [asciiLower(name), oneOf(words)]),
  ['maildeliveryoption', oneOf(legalOptions)],
  ['mailautoreplymode', oneOf(['reply', 'echo', 'vacation'])],
  ['mgrpmsgrejectaction', oneOf(['reply', 'toModerator'])],
  ['mgrpbroadcasterpolicy', eachWordOf(BROADCASTER_WORDS)],
  ['waypostsourceschema', oneOf(['inetorgperson', 'sun'])],
  ['waypostwrite', oneOf(['refuse', 'forward'])],
  ['wayposthold', oneOf(['mirror', 'cache'])],
  ...each(['waypostMaxAge', 'waypostPoll'], duration),
  ...each(['waypostUserFilter', 'waypostGroupFilter'], filter),
  ['waypostsourcedomain', domain],
  ['waypostattribute', renaming],
  ['waypostca', certificate],
  ['waypostsubmitstatus', oneOf(['active', 'suspended'])],
  ['mailaccessproxypreauth', oneOf(['yes', 'no'])],
  ...each(['mailQuota', 'mailMsgQuota', 'mailDomainDiskQuota', 'mailDomainMsgQuota'], quota),
  ['waypostexpire', expiry],
  ...each(['mailAllowedServiceAccess', 'mailDomainAllowedServiceAccess'], serviceRules),
  ...each(
    [
      'mail',
      'mailAlternateAddress',
      'mailEquivalentAddress',
      'mailRoutingAddress',
      'mailDomainCatchallAddress',
      'mailDomainReportAddress',
      'mgrpRFC822MailMember',
    ],
    address,
  ),
  ['mailforwardingaddress', forwarding],
  ['mgrperrorsto', errorsTo],
  ...each(['mgrpAllowedBroadcaster', 'mgrpDisallowedBroadcaster', 'mgrpModerator'], party),
  ...each(['memberURL', 'mgrpDeliverTo'], members),
  ...each(['mailHost', 'preferredMailHost', 'mailRoutingHosts'], host),
  ['mailroutingsmarthost', hostAndPort],
  ['mgmanhidden', oneOf(['true', 'false'])],
  ...each(['mgmanMemberVisibility', 'mgmanJoinability', 'mgmanVisibility'], oneOf(['anyone', 'all', 'true', 'none'])),
]);

/** What is legal, where this value is not. `key` is the attribute type's. */
export function illegality(key: string, value: AttributeValue): string | undefined {
  const judge = JUDGES.get(key);
  return judge === undefined || typeof value !== 'string' ? undefined : judge(value.trim());
}

function each(names: readonly string[], judge: Judge): [string, Judge][] {
  return names.map((name) => [asciiLower(name), judge]);
}

function oneOf(words: readonly string[]): Judge {
  const legal = new Set(words.map(asciiLower));
  const text = `legal are ${words.join(', ')}`;
  return (value) => (legal.has(asciiLower(value)) ? undefined : text);
}

function eachWordOf(words: readonly string[]): Judge {
  const isLegal = oneOf(words);
  return (value) => {
    for (const word of value.split(/[\s,]+/)) {
      const problem = word === '' ? undefined : isLegal(word);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

/** A total; behind it, for each `;`, the limit of a folder or of a kind of message. */
function quota(value: string): string | undefined {
  const [total = '', ...parts] = value.split(';');
  const isLegal =
    parseLimit(asciiLower(total.trim())) !== undefined &&
    parts.every((part) => parseLimit(asciiLower(part.slice(part.lastIndexOf('%') + 1).trim())) !== undefined);
  return isLegal
    ? undefined
    : 'legal is a number, with K, M or G behind it, -1 (no limit) or -2 (what the domain says)';
}

function expiry(value: string): string | undefined {
  return parseExpiry(value) === undefined ? `legal is ${EXPIRY_WORDS}` : undefined;
}

function serviceRules(value: string): string | undefined {
  const parsed = parseAccessRules(value);
  return 'problem' in parsed ? parsed.problem : undefined;
}

function address(value: string): string | undefined {
  return tryParseAddress(value) === undefined ? 'legal is a mail address' : undefined;
}

/** Programs, files and lists that are included begin otherwise than an address. */
function forwarding(value: string): string | undefined {
  return '|/:~'.includes(value.charAt(0)) ? 'legal is a mail address' : address(value);
}

function duration(value: string): string | undefined {
  return DURATION_TEXT.test(value) ? undefined : `legal is ${DURATION_WORDS}`;
}

function filter(value: string): string | undefined {
  try {
    parseFilter(value);
    return undefined;
  } catch (error) {
    return `legal is a filter (${asFailure(error).message})`;
  }
}

function domain(value: string): string | undefined {
  return normalizeDomain(value) === undefined ? 'legal is a domain name' : undefined;
}

const ATTRIBUTE_NAME = /^[a-zA-Z][a-zA-Z0-9-]{0,127}$/;

/** OURS=THEIRS */
function renaming(value: string): string | undefined {
  const names = value.split('=');
  const isLegal = names.length === 2 && names.every((name) => ATTRIBUTE_NAME.test(name));
  return isLegal ? undefined : 'legal is OURS=THEIRS, two names of attributes';
}

function certificate(value: string): string | undefined {
  const isPem = value.startsWith('-----BEGIN CERTIFICATE-----') && value.includes('-----END CERTIFICATE-----');
  return isPem ? undefined : 'legal is a certificate in PEM';
}

/** `/`: the sender stays. */
function errorsTo(value: string): string | undefined {
  const text = asciiLower(value.slice(0, 7)) === 'mailto:' ? value.slice(7) : value;
  return value === '/' || tryParseAddress(text) !== undefined ? undefined : 'legal is a mail address, or /';
}

/** A broadcaster or a moderator. */
function party(value: string): string | undefined {
  const named = partyOf(value);
  if (typeof named === 'string') return 'legal is a DN, an LDAP URL, or a mail address';
  return 'url' in named ? unanswerable(named.url) : undefined;
}

/** One that is no URL of this directory is another's, and named where lists are compiled. */
function members(value: string): string | undefined {
  const parsed = parseLdapUrl(value);
  return 'url' in parsed ? unanswerable(parsed.url) : undefined;
}

/** Nobody would be found, and a list, or who may not send to it, would be without them. */
function unanswerable({ filter: text }: LdapUrl): string | undefined {
  const filter = parseFilter(text);
  const secret = secretIn(filter);
  if (secret !== undefined) return `legal are filters that ask for no secret, and ${secret} is one`;
  const unknown = unanswerableIn(filter);
  return unknown === undefined
    ? undefined
    : `legal are filters that somebody can match: the schema does not know ${unknown}, or has no such rule of it`;
}

function host(value: string): string | undefined {
  const inner = value.startsWith('[') && value.endsWith(']') ? value.slice(1, -1) : value;
  const ip = asciiLower(inner.slice(0, 5)) === 'ipv6:' ? inner.slice(5) : inner;
  return isIP(ip) !== 0 || normalizeDomain(inner) !== undefined ? undefined : 'legal is a host name or an IP address';
}

function hostAndPort(value: string): string | undefined {
  const colon = value.lastIndexOf(':');
  const isPort = colon > 0 && colon < value.length - 1 && isAll(value.slice(colon + 1), DIGIT);
  return host(value) === undefined || (isPort && host(value.slice(0, colon)) === undefined)
    ? undefined
    : 'legal is a host name or an IP address, perhaps with a port';
}
