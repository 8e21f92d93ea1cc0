// GETQUOTAROOT: the quota root of a mailbox, with its limits and use; of another's mailbox the owner's, with the right `r`. RFC 9208 §4.1.2

import { Failure } from '../../../base/failure.ts';
import { parseGetQuotaRoot, type QuotaCommand } from '../../../wire/imap/commands/quota.ts';
import { encodeQuotaResponse, encodeQuotaRoot } from '../../../wire/imap/responses/quota.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { findNamed, shownName, spelledFor } from '../named-mailbox.ts';
import { quotaResources, rootOfMailbox } from '../quota-root.ts';
import { ok } from '../reply.ts';

export const getquotaroot: CommandDefinition<QuotaCommand & { readonly name: 'GETQUOTAROOT' }> = {
  states: LOGGED_IN,
  parse: parseGetQuotaRoot,
  run({ mailbox: name }, session) {
    const mailbox = findNamed(session, name, 'r');
    const root = mailbox && rootOfMailbox(session, mailbox);
    if (root === undefined) throw new Failure('not-found', 'No such mailbox');
    session.write(encodeQuotaRoot(spelledFor(session, shownName(session, mailbox!, name)), root.name));
    session.write(encodeQuotaResponse(root.name, quotaResources(session, root)));
    return ok('GETQUOTAROOT completed');
  },
};
