// Which attributes and delivery options act, and which would change delivery but are not built yet.
//
// An entry that uses one of the latter gets no mail past it: RCPT says 451 4.3.5 and `route` names it, because delivering
// as if it were not there would be wrong mail, and refusing for good would be a false bounce. Attributes that are in no
// table here are stored and do not touch routing.

import type { RecipientRow, RouteRow } from './rows.ts';

/** Act, by owner: mail, mailAlternateAddress, uniqueMember, mgrpRFC822MailMember, the statuses, the catch-all, the base DN. */
export const unsupportedAttributes = {
  domain: ['mailDomainSieveRuleSource', 'mailDomainMsgMaxBlocks', 'aliasedObjectName'],
  /** Say where mail goes for local parts that no entry claims. */
  unclaimed: ['mailRoutingSmartHost', 'inetCanonicalDomainName'],
  user: ['mailRoutingAddress', 'mailSieveRuleSource', 'mailMsgMaxBlocks'],
  group: [
    'mailRoutingAddress',
    'mailSieveRuleSource',
    'mailMsgMaxBlocks',
    'member',
    'memberURL',
    'mgrpAddHeader',
    'mgrpAllowedBroadcaster',
    'mgrpAllowedDomain',
    'mgrpAuthPassword',
    'mgrpBroadcasterPolicy',
    'mgrpDeliverTo',
    'mgrpDisallowedBroadcaster',
    'mgrpDisallowedDomain',
    'mgrpErrorsTo',
    'mgrpModerator',
    'mgrpMsgMaxSize',
    'mgrpMsgPrefixText',
    'mgrpMsgSuffixText',
    'mgrpNoDuplicateChecks',
    'mgrpRemoveHeader',
  ],
} as const satisfies Record<string, readonly string[]>;

/** What a value of mailDeliveryOption means: `acts`, or `later`. One that is in neither list is illegal and is ignored. */
export const deliveryOptions = {
  user: {
    mailbox: 'acts',
    autoreply: 'later',
    file: 'later',
    forward: 'later',
    hold: 'later',
    native: 'later',
    program: 'later',
    shared: 'later',
    unix: 'later',
  },
  group: {
    members: 'acts',
    autoreply: 'later',
    file: 'later',
    forward: 'later',
    hold: 'later',
    members_offline: 'later',
    program: 'later',
    shared: 'later',
  },
} as const satisfies Record<'user' | 'group', Readonly<Record<string, 'acts' | 'later'>>>;

const NONE: readonly string[] = [];

/** What stands against delivery to this recipient, or to an unclaimed address of the domain. `hostnames` are this host's. */
export function unsupportedNames(
  route: RouteRow,
  row: RecipientRow | undefined,
  key: string | undefined,
  hostnames: readonly string[],
): readonly string[] {
  const isOurs = (host: string): boolean => hostnames.includes(host);
  let names = NONE;
  if (route.unsupported !== undefined) names = [...names, ...route.unsupported];
  if (route.routingHosts !== undefined && !route.routingHosts.some(isOurs)) names = [...names, 'mailRoutingHosts'];
  if (row === undefined) return names;
  if (row.unsupported !== undefined) names = [...names, ...row.unsupported];
  if (row.mailHost !== undefined && !isOurs(row.mailHost)) names = [...names, 'mailHost'];
  if (key !== undefined && row.equivalents?.includes(key)) names = [...names, 'mailEquivalentAddress'];
  return names;
}
