// APPEND: messages stream into the store and are acknowledged when they and their rows are on disk; all of them, or none is there.
// RFC 3501 §6.3.11, RFC 3502, RFC 4315 §3, RFC 7888 §4

import { Failure } from '../../../base/failure.ts';
import { type AppendArguments, append as appendMessages, type NewMessage } from '../../../store/deliver.ts';
import { ALL_FLAGS, flagsWithin } from '../../../store/flags.ts';
import type { Mailbox } from '../../../store/mailboxes.ts';
import { type AppendCommand, parseAppend } from '../../../wire/imap/commands/append.ts';
import { encodeUidSet } from '../../../wire/imap/responses/mailbox.ts';
import type { ImapConversation } from '../conversation.ts';
import { ImapFailure } from '../errors.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { takeMessages } from '../message-input.ts';
import { findNamed, namedPlace, quotaThere } from '../named-mailbox.ts';
import { accessTo, permittedFlags, whileRightsMove } from '../permitted.ts';
import { ok } from '../reply.ts';

export const append: CommandDefinition<AppendCommand> = {
  states: LOGGED_IN,
  parse: parseAppend,
  async run({ mailbox, messages: reader }, session) {
    // Before the client has sent it all in vain; decided again in the operation.
    const row = findNamed(session, mailbox, 'i');
    if (row?.selectable !== true) throw noMailbox();
    const quota = quotaThere(session, row);
    const taken = await takeMessages(session, reader, { owner: row.owner, ...quota });
    if (taken === undefined) return undefined;
    try {
      const { uidValidity, firstUid } = await whileRightsMove(() => {
        const args = { ...appendArguments(session, mailbox, row, taken.messages), ...quota };
        return session.door.writer.execute(appendMessages, args, taken.textLength);
      });
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

/** For the mailbox of this name, which is this row: with the flags that may be set there. */
export function appendArguments(
  session: ImapConversation,
  mailbox: string,
  { id }: Mailbox,
  messages: readonly NewMessage[],
): AppendArguments {
  const { owner, name } = namedPlace(session, mailbox, 'i');
  const by = accessTo(session, { owner, mailbox: id });
  const { may = ALL_FLAGS, ...permitted } = permittedFlags(session, by);
  const allowed = messages.map((each) => ({ ...each, flags: flagsWithin(each.flags, may) }));
  return { owner, mailbox: name, messages: allowed, by, ...permitted };
}

export function noMailbox(): Failure {
  return new ImapFailure('not-found', 'No such mailbox, CREATE makes it', 'TRYCREATE');
}
