// The owner of an address, for login and bind: account, entry, and what says whether it is let in.
//
// Never  sees a password; auth compares that with the entry's

import type { AccountId } from '../base/ids.ts';
import type { Quota } from '../store/quota.ts';
import { type Admission, admissionOf } from './admission.ts';
import { limitsOf } from './quota.ts';
import type { RoutingTables, Site } from './resolution.ts';
import { addressOfKey, SITE_POSTMASTER, type UserRow } from './rows.ts';

export interface Login extends Admission {
  /** 0 where the mailbox is elsewhere. */
  readonly account: AccountId;
  /** The entry's id in the directory; its userPassword is what counts. */
  readonly entry: number;
  readonly dn: string;
  /** Keys (message/address.ts) of what this account may write in MAIL FROM, the primary one first. */
  readonly addresses: readonly string[];
  /** What it may send to other domains in an hour: its own limit, or its domain's; undefined where neither says. */
  readonly recipientsPerHour?: number | undefined;
  /** What its mailbox may hold. */
  readonly quota?: Quota | undefined;
  /** It may send nothing. */
  readonly isSuspended?: true;
  /** The channel of what it sends to other hosts; absent: as of anybody. */
  readonly submitChannel?: string;
}

/** Undefined when a row that is needed is not loaded. */
export function loginOf(row: UserRow, tables: Pick<RoutingTables, 'route'>, site: Site): Login | undefined {
  const primary = row.addresses[0];
  const domain = primary === undefined ? '' : addressOfKey(primary).domain;
  const route = domain === '' ? null : tables.route(domain);
  if (route === undefined) return undefined;
  return {
    account: row.account,
    entry: row.entry,
    dn: row.dn,
    addresses: primary === SITE_POSTMASTER ? site.hostnames.map((name) => `${primary}@${name}`) : row.addresses,
    recipientsPerHour: row.recipientsPerHour ?? route?.recipientsPerHour,
    quota: route === null ? undefined : limitsOf(row, route),
    ...(row.isSuspended === undefined ? {} : { isSuspended: row.isSuspended }),
    ...(row.submitChannel === undefined ? {} : { submitChannel: row.submitChannel }),
    ...admissionOf(route, row, site),
  };
}
