// Which attributes and delivery options act, and which would change delivery but are not built yet.
//
// An entry that uses one of the latter gets no mail past it: RCPT says 451 4.3.5 and `route` names it, because delivering
// as if it were not there would be wrong mail, and refusing for good would be a false bounce. Attributes that are in no
// table here are stored and do not touch routing.

import type { RecipientRow, RouteRow } from './rows.ts';

export const unsupportedAttributes = {
  domain: ['mailDomainSieveRuleSource'],
  user: ['mailSieveRuleSource'],
  group: ['mailSieveRuleSource'],
} as const satisfies Record<string, readonly string[]>;

/** What a value of mailDeliveryOption means: `acts`, or `later`. One that is in neither list is illegal and is ignored. */
export const deliveryOptions = {
  user: {
    mailbox: 'acts',
    autoreply: 'acts',
    file: 'acts',
    forward: 'acts',
    hold: 'acts',
    program: 'acts',
    shared: 'acts',
  },
  group: {
    members: 'acts',
    file: 'acts',
    forward: 'acts',
    hold: 'acts',
    members_offline: 'acts',
    program: 'acts',
    shared: 'acts',
  },
} as const satisfies Record<'user' | 'group', Readonly<Record<string, 'acts' | 'later'>>>;

const NONE: readonly string[] = [];

/** What stands against delivery on this host to this recipient. */
export function unsupportedNames(route: RouteRow, row: RecipientRow): readonly string[] {
  if (route.unsupported === undefined) return row.unsupported ?? NONE;
  return row.unsupported === undefined ? route.unsupported : [...route.unsupported, ...row.unsupported];
}
