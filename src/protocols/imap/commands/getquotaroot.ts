// GETQUOTAROOT: the quota root of a mailbox, with its limits and use. RFC 9208 §4.1.2

import { Failure } from '../../../base/failure.ts';
import { parseGetQuotaRoot, type QuotaCommand } from '../../../wire/imap/commands/quota.ts';
import { encodeQuotaResponse, encodeQuotaRoot } from '../../../wire/imap/responses/quota.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { findNamed, spelledFor } from '../named-mailbox.ts';
import { quotaResources, quotaRootOf } from '../quota-root.ts';
import { ok } from '../reply.ts';

export const getquotaroot: CommandDefinition<QuotaCommand & { readonly name: 'GETQUOTAROOT' }> = {
  states: LOGGED_IN,
  parse: parseGetQuotaRoot,
  run({ mailbox: name }, session) {
    const mailbox = findNamed(session, name);
    if (mailbox === undefined) throw new Failure('not-found', 'No such mailbox');
    // What it holds counts at its owner's, who alone is told.
    if (mailbox.owner !== session.owner) throw new Failure('denied', "The quota of this mailbox is its owner's");
    const root = quotaRootOf(session);
    session.write(encodeQuotaRoot(spelledFor(session, mailbox.name), root));
    session.write(encodeQuotaResponse(root, quotaResources(session)));
    return ok('GETQUOTAROOT completed');
  },
};
