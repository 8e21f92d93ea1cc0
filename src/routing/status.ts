// The four levels of status: which words are legal at each, and what each means for mail and for logins.
//
// Order   inetDomainStatus -> mailDomainStatus -> inetUserStatus -> mailUserStatus or inetMailGroupStatus;
//         the first that is not active wins; a missing one is active; an illegal one is a temporary failure

import { asciiLower } from '../base/characters.ts';
import type { Reply } from '../base/reply.ts';
import { legalStatuses } from '../directory/legal-values.ts';
import { replies } from './replies.ts';
import type { RecipientRow, RouteRow, Status } from './rows.ts';

type StatusWord = Exclude<Status, { readonly illegal: string }>;

export type StatusAttribute =
  | 'inetDomainStatus'
  | 'mailDomainStatus'
  | 'inetUserStatus'
  | 'mailUserStatus'
  | 'inetMailGroupStatus';

export interface StatusMeaning {
  /** Undefined: mail goes on. 2xx: it is taken and held. */
  readonly reply: Reply | undefined;
  /** May the owner log in and read? */
  readonly admits: boolean;
}

const meanings = {
  active: { reply: undefined, admits: true },
  inactive: { reply: replies.inactive, admits: false },
  disabled: { reply: replies.disabled, admits: false },
  deleted: { reply: replies.deleted, admits: false },
  removed: { reply: replies.deleted, admits: false },
  // Taken, and kept until the row changes that says so.
  hold: { reply: replies.accepted, admits: false },
  // Who is over quota must be able to delete.
  overquota: { reply: replies.overQuota, admits: true },
} as const satisfies Record<StatusWord, StatusMeaning>;

const illegalMeaning: StatusMeaning = { reply: replies.illegalStatus, admits: false };

export function statusMeaning(status: Status): StatusMeaning {
  return typeof status === 'string' ? meanings[status] : illegalMeaning;
}

/** The value of a status attribute; letter case does not matter. */
export function parseStatusValue(attribute: StatusAttribute, value: string): Status {
  const word = asciiLower(value.trim());
  const legal: readonly StatusWord[] = legalStatuses[attribute];
  return legal.find((known) => known === word) ?? { illegal: value };
}

const CHAIN = [
  'inetDomainStatus',
  'mailDomainStatus',
  'inetUserStatus',
  'mailUserStatus',
  'inetMailGroupStatus',
] as const satisfies readonly StatusAttribute[];

/** What rows and entries say; a row is one of these. */
export type Statuses = { readonly [attribute in StatusAttribute]?: Status };

/** The first in the chain of domain and recipient whose meaning is `decides`; undefined when none is. */
export function decidingStatus(
  route: RouteRow | null,
  row: RecipientRow | Statuses | undefined,
  decides: (meaning: StatusMeaning) => boolean,
): readonly [StatusAttribute, Status] | undefined {
  for (const attribute of CHAIN) {
    const status = (route as Statuses | null)?.[attribute] ?? (row as Statuses | undefined)?.[attribute];
    if (status !== undefined && decides(statusMeaning(status))) return [attribute, status];
  }
  return undefined;
}

/** The status that keeps the owner out, as `mailUserStatus: inactive`; undefined when none does. */
export function refusingStatus(route: RouteRow | null, row: RecipientRow | Statuses): string | undefined {
  const refusing = decidingStatus(route, row, (meaning) => !meaning.admits);
  return refusing && statusText(...refusing);
}

/** As it stands in a step: `mailUserStatus: overquota`. */
export function statusText(attribute: StatusAttribute, status: Status): string {
  return typeof status === 'string' ? `${attribute}: ${status}` : `${attribute}: ${status.illegal} (not a legal value)`;
}
