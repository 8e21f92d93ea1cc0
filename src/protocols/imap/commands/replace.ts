// REPLACE and UID REPLACE: a new message in the place of one of the selected mailbox, whole or not at all. RFC 8508

import { Failure } from '../../../base/failure.ts';
import { replace as replaceMessage } from '../../../store/replace.ts';
import { parseReplace, type ReplaceCommand } from '../../../wire/imap/commands/replace.ts';
import { encodeUntagged } from '../../../wire/imap/responses/status.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { takeMessages } from '../message-input.ts';
import { findNamed, quotaThere } from '../named-mailbox.ts';
import { bothPermitted, permitted, whileRightsMove } from '../permitted.ts';
import { ok } from '../reply.ts';
import { appendArguments, noMailbox } from './append.ts';

export const replace: CommandDefinition<ReplaceCommand> = {
  states: SELECTED,
  removes: true,
  parse: parseReplace,
  async run({ replaced, mailbox, messages: reader }, session) {
    const selected = session.writableMailbox;
    await selected.load(replaced);
    const { access, view } = selected;
    const [position] = selected.positions(replaced);
    if (position === undefined) throw new Failure('not-found', 'No such message');
    const uid = view.uidAt(position.from);
    permitted(session, access, 't', 'e');
    const row = findNamed(session, mailbox, 'i');
    if (row?.selectable !== true) throw noMailbox();
    const quota = quotaThere(session, row);
    const taken = await takeMessages(session, reader, { owner: row.owner, ...quota });
    if (taken === undefined) return undefined;
    try {
      const replaced = { owner: access.owner, mailbox: access.mailbox, uid };
      const { uidValidity, firstUid } = await whileRightsMove(() => {
        const { rightsAt, ...args } = appendArguments(session, mailbox, row, taken.messages);
        const both = bothPermitted(permitted(session, access, 't', 'e'), rightsAt === undefined ? {} : { rightsAt });
        return session.door.writer.execute(replaceMessage, { ...args, ...quota, ...both, replaced }, taken.textLength);
      });
      // Before the EXPUNGE, so that a client knows what has come for it. RFC 8508 §3.3
      session.write(encodeUntagged('OK', 'The new message is there', `APPENDUID ${uidValidity} ${firstUid}`));
      return ok('REPLACE completed');
    } finally {
      taken.settle();
    }
  },
};
