// What rows and entries say about letting their owner in; auth/decision.ts decides by it for a client.

import { type Here, hostElsewhere } from './here.ts';
import type { Access, RecipientRow, RouteRow } from './rows.ts';
import { refusingStatus, type Statuses } from './status.ts';

export interface Admission {
  /** Whose statuses and rules count; undefined for an entry outside all domains. */
  readonly domain: string | undefined;
  /** The status that refuses a login with the right password, as `mailUserStatus: inactive`; undefined when none does. */
  readonly refusedBy: string | undefined;
  readonly domainRules: Access | undefined;
  readonly userRules: Access | undefined;
  /** The host that has the mailbox, where that is another one. */
  readonly elsewhere?: string | undefined;
}

/** One for each domain that the entry may be of: one that admits is enough. */
export type Admissions = readonly [Admission, ...Admission[]];

/** What an entry without a row says of itself. */
export interface OwnAdmission extends Statuses {
  readonly access?: Access;
}

/** `here` absent: wherever the mailbox is, it does not matter. */
export function admissionOf(route: RouteRow | null, row: RecipientRow | OwnAdmission, here?: Here): Admission {
  const isRow = 'kind' in row;
  return {
    domain: route?.domain,
    refusedBy: refusingStatus(route, row),
    domainRules: route?.access,
    userRules: row.access,
    elsewhere: here === undefined || !isRow ? undefined : hostElsewhere(row.mailHost, here),
  };
}
