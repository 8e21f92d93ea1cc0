// The option `mailbox`: the user's INBOX, or the folder that a subaddress names.

import { quotaFor } from '../quota.ts';
import { folderOf } from '../subaddress.ts';
import { mailboxTarget } from '../targets.ts';
import type { PlanOption } from './option.ts';

export const planMailbox: PlanOption = ({ row, address, route, request, target }) => {
  if (row.kind !== 'user') return;
  const quota = route && quotaFor(row, route, request);
  target(mailboxTarget(address, row.account, { quota, folder: folderOf(row, route, address) }));
};
