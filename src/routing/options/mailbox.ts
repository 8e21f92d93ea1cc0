// The option `mailbox`: the user's INBOX.

import { mailboxTarget } from '../targets.ts';
import type { PlanOption } from './option.ts';

export const planMailbox: PlanOption = ({ row, address, target }) => {
  if (row.kind === 'user') target(mailboxTarget(address, row.account));
};
