// APPEND: messages stream into the store and are acknowledged when they and their rows are on disk; all of them, or none is there.
// RFC 3501 §6.3.11, RFC 3502, RFC 4315 §3, RFC 7888 §4

import { Failure } from '../../../base/failure.ts';
import { append as appendMessages } from '../../../store/deliver.ts';
import { type AppendCommand, parseAppend } from '../../../wire/imap/commands/append.ts';
import { encodeUidSet } from '../../../wire/imap/responses/mailbox.ts';
import { ImapFailure } from '../errors.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { takeMessages } from '../message-input.ts';
import { findNamed, namedPlace } from '../named-mailbox.ts';
import { ok } from '../reply.ts';

export const append: CommandDefinition<AppendCommand> = {
  states: LOGGED_IN,
  parse: parseAppend,
  async run({ mailbox, messages: reader }, session) {
    const { owner, name } = namedPlace(session, mailbox);
    // Before the client has sent it all in vain; decided again in the operation.
    if (findNamed(session, mailbox)?.selectable !== true) throw noMailbox();
    const taken = await takeMessages(session, reader, owner);
    if (taken === undefined) return undefined;
    try {
      const quota = session.quota === undefined ? {} : { quota: session.quota };
      const args = { owner, mailbox: name, messages: taken.messages, ...quota };
      const { uidValidity, firstUid } = await session.door.writer.execute(appendMessages, args, taken.textLength);
      const uids = encodeUidSet([{ first: firstUid, last: firstUid + taken.messages.length - 1 }]);
      return ok('APPEND completed', `APPENDUID ${uidValidity} ${uids}`);
    } catch (error) {
      if (error instanceof Failure && error.kind === 'not-found') throw noMailbox();
      throw error;
    } finally {
      taken.settle();
    }
  },
};

export function noMailbox(): Failure {
  return new ImapFailure('not-found', 'No such mailbox, CREATE makes it', 'TRYCREATE');
}
