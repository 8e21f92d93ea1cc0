// The option `mailbox`: the user's INBOX.

import { quotaFor } from '../quota.ts';
import { mailboxTarget } from '../targets.ts';
import type { PlanOption } from './option.ts';

export const planMailbox: PlanOption = ({ row, address, route, request, target }) => {
  if (row.kind !== 'user') return;
  target(mailboxTarget(address, row.account, route && quotaFor(row, route, request)));
};
