// mailQuota, mailMsgQuota, mailDomainDiskQuota, mailDomainMsgQuota: what they say, and what holds for a user.
//
// In      values of the attributes: a number, with K, M or G behind it; -1 no limit, -2 the domain's; what stands behind `;`
//         (a limit of a folder) is ignored and named
// Out     limits in octets and messages; `problems` for what is none

import { asciiLower } from '../base/characters.ts';
import { attributeKey } from '../directory/attribute-name.ts';
import { type Entry, textValue } from '../directory/entry.ts';
import { parseLimit } from '../directory/quota-value.ts';
import type { Quota, QuotaLimit } from '../store/quota.ts';
import type { RouteRequest } from './route-request.ts';
import type { Problem, RouteRow, UserRow } from './rows.ts';

/** -1: none, whatever the domain says. Absent: what the domain says. */
const NO_QUOTA = -1;
const OF_DOMAIN = -2;

/** Undefined: what it is is the domain's to say. */
export function quotaOf(entry: Entry, octets: string, messages: string, problems: Problem[]): QuotaLimit | undefined {
  const [of, count] = [limitOf(entry, octets, problems), limitOf(entry, messages, problems)];
  if (of === undefined && count === undefined) return undefined;
  return { ...(of === undefined ? {} : { octets: of }), ...(count === undefined ? {} : { messages: count }) };
}

function limitOf(entry: Entry, attribute: string, problems: Problem[]): number | undefined {
  const value = textValue(entry, attributeKey(attribute));
  if (value === undefined) return undefined;
  const semicolon = value.indexOf(';');
  if (semicolon >= 0) problems.push({ attribute, value, reason: 'has limits of folders, which do not act' });
  const text = asciiLower((semicolon < 0 ? value : value.slice(0, semicolon)).trim());
  const limit = parseLimit(text);
  if (limit === undefined) problems.push({ attribute, value, reason: 'is no number, with K, M or G behind it' });
  return limit === OF_DOMAIN ? undefined : limit;
}

/**
 * What holds for mail to this user: the own limit, or the domain's for each user, and the domain's for all of them together. Reports
 * and warnings of this program get in whatever is there; what a list has made of a message is none.
 */
export function quotaFor(row: UserRow, route: RouteRow, { door, sender, lists }: RouteRequest): Quota | undefined {
  const isOwn = door === 'internal' && sender === undefined && lists === undefined;
  return isOwn ? undefined : limitsOf(row, route);
}

/** Undefined: it may hold anything. */
export function limitsOf({ quota: own }: UserRow, route: RouteRow): Quota | undefined {
  const { userQuota, quota: ofDomain, domain } = route;
  if (own === undefined && userQuota === undefined && ofDomain === undefined) return undefined;
  const ofAll = usable(ofDomain ?? {});
  const limits = {
    ...usable({ ...userQuota, ...own }),
    // A domain without a limit is not counted.
    ...(Object.keys(ofAll).length === 0 ? {} : { domain: { ...ofAll, name: domain } }),
  };
  return Object.keys(limits).length === 0 ? undefined : limits;
}

function usable({ octets = NO_QUOTA, messages = NO_QUOTA }: QuotaLimit): QuotaLimit {
  return { ...(octets === NO_QUOTA ? {} : { octets }), ...(messages === NO_QUOTA ? {} : { messages }) };
}
