// RESETKEY: what the user has authorized, in one mailbox or in all, lets nobody see anything any more. The next GENURLAUTH makes
// a new key. RFC 4467 §7

import { Failure } from '../../../base/failure.ts';
import { resetUrlKeys } from '../../../store/url-keys.ts';
import { parseResetKey, type ResetKeyCommand } from '../../../wire/imap/commands/urlauth.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { findNamed } from '../named-mailbox.ts';
import { ok } from '../reply.ts';
import { checkMechanism } from './genurlauth.ts';

export const resetkey: CommandDefinition<ResetKeyCommand> = {
  states: LOGGED_IN,
  parse: parseResetKey,
  async run({ mailbox: name, mechanisms }, session) {
    const { writer } = session.door;
    const account = session.reader;
    if (name === undefined) {
      await writer.execute(resetUrlKeys, { account });
      return ok('All keys removed');
    }
    for (const mechanism of mechanisms) checkMechanism(mechanism);
    const row = findNamed(session, name);
    if (row?.selectable !== true) throw new Failure('not-found', 'No such mailbox');
    await writer.execute(resetUrlKeys, { account, place: { owner: row.owner, mailbox: row.id } });
    return ok('Key removed', 'URLMECH INTERNAL');
  },
};
