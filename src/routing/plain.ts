// The case that nearly all mail is: a user who is here, in a domain of ours, of whom nothing is said that mail must heed.
//
// In      rows as they come into a memory; an address that leads to two of them
// Out     whether they are such; the resolution, the same that resolve.ts would give, in half the time
// A row counts as plain by the keys it has, and only by those that are named here: what a later compiler adds is not plain
// until somebody has said so

import type { AccountId } from '../base/ids.ts';
import type { Address } from '../message/address.ts';
import { replies } from './replies.ts';
import type { Resolution } from './resolution.ts';
import type { RecipientRow, RouteRow } from './rows.ts';
import type { RoutingSettings } from './settings.ts';
import { mailboxTarget } from './targets.ts';

/** What holds for logins, or for addresses that nobody claims, or is said where a status is not active. */
const ROUTE_KEYS = new Set([
  'domain',
  'base',
  'access',
  'catchall',
  'canonical',
  'disabledText',
  'smartHost',
  'recipientsPerHour',
  'isBrought',
  'source',
  'problems',
]);
const USER_KEYS = new Set([
  'kind',
  'entry',
  'uuid',
  'dn',
  'addresses',
  'account',
  'access',
  'recipientsPerHour',
  'isSuspended',
  'submitChannel',
  'problems',
]);
const STATUS_KEYS = new Set(['inetDomainStatus', 'mailDomainStatus', 'inetUserStatus', 'mailUserStatus']);

function hasOnly(row: object, keys: ReadonlySet<string>): boolean {
  return Object.entries(row).every(([key, value]) => keys.has(key) || (STATUS_KEYS.has(key) && value === 'active'));
}

export function isPlainRoute(row: RouteRow): boolean {
  return hasOnly(row, ROUTE_KEYS);
}

export function isPlainUser(row: RecipientRow): boolean {
  return row.kind === 'user' && row.account !== 0 && hasOnly(row, USER_KEYS);
}

const NOBODY = { localPart: '', domain: '' };
const MAILBOX_CHANNEL = mailboxTarget(NOBODY, 0 as AccountId).channel;

/** No rule comes before the domains, and nothing is said of the channel that mailboxes have. */
export function arePlainSettings({ rules, channels }: RoutingSettings): boolean {
  return rules.initial.length === 0 && !channels.has(MAILBOX_CHANNEL);
}

export function plainResolution(address: Address, account: AccountId): Resolution {
  return {
    address,
    steps: [],
    targets: [mailboxTarget(address, account)],
    reply: replies.accepted,
    relay: false,
    rewritten: address,
    probes: [],
    failures: [],
  };
}
