// SETQUOTA: limits come from the directory alone. RFC 9208 §4.1.3

import { Failure } from '../../../base/failure.ts';
import { parseSetQuota, type QuotaCommand } from '../../../wire/imap/commands/quota.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';

export const setquota: CommandDefinition<QuotaCommand & { readonly name: 'SETQUOTA' }> = {
  states: LOGGED_IN,
  parse: parseSetQuota,
  run() {
    throw new Failure('denied', 'Quotas are set in the directory');
  },
};
