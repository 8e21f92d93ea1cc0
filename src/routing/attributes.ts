// Which delivery options there are, and which attributes would change delivery but are not built yet.
//
// An entry that uses one of the latter gets no mail past it: RCPT says 451 4.3.5 and `route` names it, because delivering
// as if it were not there would be wrong mail, and refusing for good would be a false bounce. Attributes that are in no
// table here are stored and do not touch routing.

import type { legalOptions } from '../directory/legal-values.ts';
import type { OptionName, RecipientRow, RouteRow } from './rows.ts';

export const unsupportedAttributes = {
  domain: ['mailDomainSieveRuleSource'],
  user: ['mailSieveRuleSource'],
  group: ['mailSieveRuleSource'],
} as const satisfies Record<string, readonly string[]>;

/** The legal values of mailDeliveryOption; any other is ignored, and named. */
export const deliveryOptions = {
  user: ['autoreply', 'file', 'forward', 'hold', 'mailbox', 'program', 'shared'],
  group: ['file', 'forward', 'hold', 'members', 'members_offline', 'program', 'shared'],
} as const satisfies Record<'user' | 'group', readonly (OptionName & (typeof legalOptions)[number])[]>;

const NONE: readonly string[] = [];

/** What stands against delivery on this host to this recipient. */
export function unsupportedNames(route: RouteRow, row: RecipientRow): readonly string[] {
  if (route.unsupported === undefined) return row.unsupported ?? NONE;
  return row.unsupported === undefined ? route.unsupported : [...route.unsupported, ...row.unsupported];
}
