// Who may read a shared mailbox: the members of its group, by their own login, until folders can be shared.
//
// In      the address of a group; the DN of who has logged in
// Out     the group's account, where the group has one, is active, and the entry is its member: by `uniqueMember`, of the group itself
//         or of a group that is such a member
// Limits  GROUP_DEPTH_MAX groups in groups, GROUPS_MAX that one entry is in: beyond them nobody is let in
// Never   looks at a member list from above: the groups that the entry is in are walked upward

import type { AccountId } from '../base/ids.ts';
import { GROUP_DEPTH_MAX } from '../base/limits.ts';
import type { Reader } from '../database/operation.ts';
import { normalizeDn } from '../directory/dn.ts';
import { entriesWithUniqueMember } from '../directory/member-values.ts';
import { addressKey, tryParseAddress } from '../message/address.ts';
import type { RoutingCache } from './cache.ts';
import type { RecipientRow } from './rows.ts';

const GROUPS_MAX = 1000;

export function sharedMailboxOf(
  reader: Reader,
  routing: Pick<RoutingCache, 'recipient'>,
  { group, member }: { readonly group: string; readonly member: string },
): AccountId | undefined {
  const address = tryParseAddress(group);
  const row = address && routing.recipient(addressKey(address));
  const account = row && sharedAccountOf(row);
  return account !== undefined && isMember(reader, normalizeDn(member), normalizeDn(row!.dn)) ? account : undefined;
}

/** Of an active group with the option `shared`. */
export function sharedAccountOf(row: RecipientRow): AccountId | undefined {
  return row.kind === 'group' && whyNotShared(row) === undefined ? row.account : undefined;
}

/** Why mail for a mailbox of this row passes over it; undefined: it has one. */
export function whyNotShared(row: RecipientRow | null | undefined): string | undefined {
  if (!row) return 'is no address of a group here';
  if (row.kind !== 'group') return 'is a user';
  if (row.options?.includes('shared') !== true) return 'is a group without the delivery option shared';
  if ((row.inetMailGroupStatus ?? 'active') !== 'active') return 'is a group that is not active';
  return row.account === undefined ? 'is a group whose mailbox is on another host' : undefined;
}

function isMember(reader: Reader, member: string, group: string): boolean {
  const found = new Set<string>();
  let level: readonly string[] = [member];
  for (let depth = 0; depth < GROUP_DEPTH_MAX && level.length > 0; depth++) {
    const above = level.flatMap((dn) => entriesWithUniqueMember(reader, dn, GROUPS_MAX + 1));
    if (above.includes(group)) return true;
    level = [...new Set(above)].filter((dn) => !found.has(dn));
    for (const dn of level) found.add(dn);
    if (found.size > GROUPS_MAX) return false;
  }
  return false;
}
