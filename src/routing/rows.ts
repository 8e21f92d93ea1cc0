// What the tables hold: a domain's row, and the row of an entry that mail can reach. Small, because memory holds many.
//
// Compiled from entries by compile.ts, kept as JSON by tables.ts, read by resolve.ts. A key that is absent means that
// the entry says nothing.

import type { AccountId } from '../base/ids.ts';
import type { Row } from '../database/operation.ts';
import type { AccessRule } from '../directory/access-rules.ts';
import type { LdapUrl } from '../directory/ldap-url.ts';
import type { ListParty } from '../directory/list-party.ts';
import { type Address, formatAddress, isBeyondAscii } from '../message/address.ts';
import type { QuotaLimit } from '../store/quota.ts';

/** A status attribute's value that is legal for its level, or the word for one that is not. See status.ts. */
export type Status =
  | 'active'
  | 'inactive'
  | 'disabled'
  | 'deleted'
  | 'removed'
  | 'hold'
  | 'overquota'
  | { readonly illegal: string };

/** Who may log in to which service, and from where; the value when it does not parse. */
export type Access = readonly AccessRule[] | { readonly illegal: string };

/** An attribute's value that the compiler could not use. `sync status` prints these; the entry stays as it is. */
export interface Problem {
  readonly attribute: string;
  readonly value: string;
  readonly reason: string;
}

/** One domain. */
export interface RouteRow {
  /** A-labels, lower case. */
  readonly domain: string;
  /** Normalized DN; entries below it, and below no deeper base, own the domain's addresses. `''`, of an alias and of a domain without mail: none do. */
  readonly base: string;
  /** The domain whose row holds for all of this one; `''`: none that can be read. Then the row says nothing else. */
  readonly aliasOf?: string;
  /** It takes no mail, and the row says nothing else. Where somebody else's name servers have it, it is foreign all the same. */
  readonly isWithoutMail?: true;
  /** inetCanonicalDomainName: where the addresses are looked up that no entry claims here. */
  readonly canonical?: string;
  readonly inetDomainStatus?: Status;
  readonly mailDomainStatus?: Status;
  /** mailDomainAllowedServiceAccess */
  readonly access?: Access;
  /** waypostDisabledText, as a reply can say it. */
  readonly disabledText?: string;
  /** mailDomainCatchallAddress, as SMTP writes it. */
  readonly catchall?: string;
  /** mailRoutingHosts, names in lower case and IP addresses; where none is a name of ours, the domain is not local. */
  readonly routingHosts?: readonly string[];
  /** waypostRoute: mx. The domain is not local: its mail goes by its MX records. */
  readonly isMx?: true;
  /** mailRoutingSmartHost, as a destination (destination.ts): the next hop of addresses that nothing here claims. */
  readonly smartHost?: string;
  /** mailDomainMsgMaxBlocks in octets. */
  readonly sizeMax?: number;
  /** mailQuota, mailMsgQuota: what each of its users may hold, where the entry does not say. -1: no limit. */
  readonly userQuota?: QuotaLimit;
  /** mailDomainDiskQuota, mailDomainMsgQuota: what all of them together may hold. -1: no limit. */
  readonly quota?: QuotaLimit;
  /** What each of its accounts may send to other domains in an hour, where its entry does not say. */
  readonly recipientsPerHour?: number;
  /** Whose people are entries of this source (provisioning/ldap-source.ts). */
  readonly source?: string;
  /** Beside `source`: the source does not list the domain any more. */
  readonly isUnlisted?: true;
  /** A message has brought it. */
  readonly isBrought?: true;
  /** Beside isBrought: its record has not been observed yet. */
  readonly isComing?: true;
  /** Attributes that would send all of the domain's mail another way than this program can. */
  readonly unsupported?: readonly string[];
  readonly problems?: readonly Problem[];
}

/** A value of mailDeliveryOption that is legal for a user or for a list. */
export type OptionName =
  | 'mailbox'
  | 'forward'
  | 'autoreply'
  | 'program'
  | 'file'
  | 'shared'
  | 'hold'
  | 'members'
  | 'members_offline';

/** What a row says of its delivery options. */
export interface OptionValues {
  /** Absent: `mailbox` of a user, `members` of a list. Empty: none is left. */
  readonly options?: readonly OptionName[];
  /** Of `file`: a name below the folder of the entry's domain, a Maildir with `/` behind it. */
  readonly file?: string;
  /** Of `program`: names in lower case. */
  readonly programs?: readonly string[];
  /** Of `shared`, of a user: keys of the groups' addresses. */
  readonly shared?: readonly string[];
  /** mailForwardingAddress, as SMTP writes it. */
  readonly forward?: readonly string[];
}

interface RecipientRowBase extends OptionValues {
  /** The entry's id in the directory. */
  readonly entry: number;
  readonly uuid: string;
  /** As the entry writes it; the table's key is the normalized one. */
  readonly dn: string;
  /** Keys of the addresses (message/address.ts) that route to this entry, `mail` first. Only those of the domains whose base holds the entry. */
  readonly addresses: readonly string[];
  /** Its source was asked for its name alone: others there may have its addresses too. */
  readonly isByName?: true;
  /** mailAllowedServiceAccess */
  readonly access?: Access;
  /** mailHost, a name in lower case or an IP address: absent or a name of ours, the entry is here. */
  readonly mailHost?: string;
  /** mailRoutingAddress, as SMTP writes it: the recipient in place of this entry. */
  readonly routingAddress?: string;
  /** mailMsgMaxBlocks in octets. */
  readonly sizeMax?: number;
  /** Attributes that would change delivery and that this program does not act on. */
  readonly unsupported?: readonly string[];
  readonly problems?: readonly Problem[];
}

export interface UserRow extends RecipientRowBase {
  readonly kind: 'user';
  readonly account: AccountId;
  /** mailQuota, mailMsgQuota. -1: no limit, whatever the domain says. */
  readonly quota?: QuotaLimit;
  /** What it may send to other domains in an hour. */
  readonly recipientsPerHour?: number;
  readonly inetUserStatus?: Status;
  readonly mailUserStatus?: Status;
  /** waypostSubmitStatus: nothing goes out from this user. */
  readonly isSuspended?: true;
  /** mailSMTPSubmitChannel, in lower case: what this login sends to other hosts goes out by it. */
  readonly submitChannel?: string;
}

/** A list. Its members are not in the row, see list-tables.ts. */
export interface GroupRow extends RecipientRowBase {
  readonly kind: 'group';
  /** Of a group with the option `shared` that is here: its INBOX. */
  readonly account?: AccountId;
  readonly inetMailGroupStatus?: Status;
  /** mailRejectText, as a reply can say it: what a disabled list says. */
  readonly disabledText?: string;
  /** memberURL and mgrpDeliverTo: who matches when mail comes is a member. */
  readonly urls?: readonly LdapUrl[];
  /** Who may send to it; absent: everybody. */
  readonly rules?: ListRules;
  /** What it does to a message before that goes to its members; absent: nothing. */
  readonly texts?: ListTexts;
}

/** See list-texts.ts. */
export interface ListTexts {
  /** The sender of what goes to the members, as SMTP writes it: reports of failures go there. */
  readonly errorsTo?: string;
  /** Fields, `Name: value`. */
  readonly add?: readonly string[];
  /** Names in lower case. */
  readonly remove?: readonly string[];
  readonly prefix?: string;
  readonly suffix?: string;
  /** Who sends has to say the password of the list, in the field Approved. */
  readonly password?: true;
}

/** What a list asks of who sends to it. See list-access.ts. */
export interface ListRules {
  /** mgrpBroadcasterPolicy: who sends has logged in, and the login counts. */
  readonly authenticated?: true;
  /** mgrpBroadcasterPolicy: one of the two allowed kinds is enough. */
  readonly either?: true;
  /** An attribute that is there and has no usable value allows nobody. */
  readonly allowedBroadcasters?: readonly ListParty[];
  readonly disallowedBroadcasters?: readonly ListParty[];
  /** Patterns in lower case: `*` is any text. */
  readonly allowedDomains?: readonly string[];
  readonly disallowedDomains?: readonly string[];
  /** mgrpMsgMaxSize, octets */
  readonly sizeMax?: number;
  /** What the sender of a refused message reads. */
  readonly rejectText?: string;
  /** mgrpMsgRejectAction: the moderators get what a rule refuses. */
  readonly toModerator?: true;
  /** Who skips the rules; messages of all others go to them instead. */
  readonly moderators?: readonly ListParty[];
}

/** What stands behind an address, and behind a DN that a group names. */
export type RecipientRow = UserRow | GroupRow;

/** The address of the site postmaster's row: the one local part that needs no domain. RFC 5321 §4.5.1 */
export const SITE_POSTMASTER = 'postmaster';

/** A key is an address in lower case with the quotes off; the domain stands behind the last `@`, SITE_POSTMASTER has none. */
export function addressOfKey(key: string): Address {
  const at = key.lastIndexOf('@');
  return at < 0 ? { localPart: key, domain: '' } : { localPart: key.slice(0, at), domain: key.slice(at + 1) };
}

/** Of a table that holds it as JSON in the column `row`. */
export function parsedRow<T>(found: Row | undefined): T | null {
  return found === undefined ? null : (JSON.parse(found['row'] as string) as T);
}

/** An address of the entry that every host can read, where it has one: for header fields that say who it is. */
export function nameOf({ addresses }: Pick<RecipientRow, 'addresses'>): string | undefined {
  const all = addresses.map(addressOfKey);
  const address = all.find((each) => !isBeyondAscii(each)) ?? all[0];
  return address && formatAddress(address);
}
