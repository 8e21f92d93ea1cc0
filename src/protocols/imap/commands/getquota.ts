// GETQUOTA: limits and use of a quota root by its name: that of who has logged in, or of who shares a mailbox. RFC 9208 §4.1.1

import { Failure } from '../../../base/failure.ts';
import { parseGetQuota, type QuotaCommand } from '../../../wire/imap/commands/quota.ts';
import { encodeQuotaResponse } from '../../../wire/imap/responses/quota.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { quotaResources, rootNamed } from '../quota-root.ts';
import { ok } from '../reply.ts';

export const getquota: CommandDefinition<QuotaCommand & { readonly name: 'GETQUOTA' }> = {
  states: LOGGED_IN,
  parse: parseGetQuota,
  run({ root }, session) {
    const found = rootNamed(session, root);
    if (found === undefined) throw new Failure('not-found', 'No such quota root');
    session.write(encodeQuotaResponse(found.name, quotaResources(session, found)));
    return ok('GETQUOTA completed');
  },
};
