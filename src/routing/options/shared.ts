// The option `shared`. Of a group: its own mailbox, which its members read. Of a user: those of the groups that waypostSharedMailbox
// names.
//
// A group that has none, is not active or is not here gets nothing from a user's mail: its other options do not act either. It is named, by
// `route` and by `sync status` (unserved.ts).

import { asciiLower } from '../../base/characters.ts';
import { hasClass, textValues } from '../../directory/entry.ts';
import { type Address, addressKey, formatAddress, tryParseAddress } from '../../message/address.ts';
import { addressOfKey, type RecipientRow } from '../rows.ts';
import { sharedAccountOf, whyNotShared } from '../shared-mailbox.ts';
import { folderOf } from '../subaddress.ts';
import { mailboxTarget } from '../targets.ts';
import type { CompileOption, PlanOption } from './option.ts';

const ATTRIBUTE = 'waypostSharedMailbox';
const GROUPS_MAX = 50;

export const compileShared: CompileOption = (entry, problems) => {
  if (hasClass(entry, 'inetmailgroup')) return {};
  const keys = new Set<string>();
  for (const value of textValues(entry, asciiLower(ATTRIBUTE))) {
    const address = tryParseAddress(value.trim());
    if (address === undefined) problems.push({ attribute: ATTRIBUTE, value, reason: 'is not an address' });
    else if (keys.size === GROUPS_MAX)
      problems.push({ attribute: ATTRIBUTE, value, reason: `is one more than ${GROUPS_MAX}` });
    else keys.add(addressKey(address));
  }
  if (keys.size > 0) return { shared: [...keys] };
  problems.push({ attribute: 'mailDeliveryOption', value: 'shared', reason: `needs ${ATTRIBUTE}` });
  return undefined;
};

export const planShared: PlanOption = ({ row, route, address, alias, target, passedOver }) => {
  const give = (group: RecipientRow | null | undefined, to: Address, folder?: string): void => {
    const account = group ? sharedAccountOf(group) : undefined;
    if (account !== undefined) target(mailboxTarget(to, account, { folder }));
    else if (group !== undefined) passedOver(`${formatAddress(to)} ${whyNotShared(group)}`);
  };
  if (row.kind === 'group') give(row, address, folderOf(row, route, address));
  // Resolved again, it is this recipient that leads there.
  else for (const key of row.shared ?? []) give(alias(key), addressOfKey(key));
};
