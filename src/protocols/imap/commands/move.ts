// MOVE and UID MOVE: one transaction, and the client hears of the new UIDs before the old messages go. RFC 6851 §3

import { COPY_MESSAGES_MAX } from '../../../base/limits.ts';
import { move as moveMessages } from '../../../store/copy.ts';
import { type CopyCommand, parseCopy } from '../../../wire/imap/commands/copy.ts';
import { encodeUntagged } from '../../../wire/imap/responses/status.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { limitedReply, limitMessages } from '../message-limit.ts';
import { ok } from '../reply.ts';
import { transfer } from './copy.ts';

export const move: CommandDefinition<CopyCommand<'MOVE'>> = {
  states: SELECTED,
  removes: true,
  parse: parseCopy('MOVE'),
  async run(command, session) {
    // One that was opened read-only refuses.
    void session.writableMailbox;
    const { mailbox } = session;
    await mailbox.load(command.messages);
    const meant = mailbox.positions(command.messages);
    const { positions, code } = limitMessages(session, mailbox, meant, COPY_MESSAGES_MAX);
    const copyUid = await transfer(session, command, positions, moveMessages, ['t', 'e']);
    if (copyUid === undefined) return ok('MOVE completed, no message is there');
    session.write(encodeUntagged('OK', 'Moved', copyUid));
    if (!session.enabled.has('QRESYNC')) return limitedReply(session, ok('MOVE completed'), code);
    // RFC 7162 §3.2.9: up to where the client knows the mailbox when it has heard of what went.
    await session.reportChanges({ expunges: true, isOwn: true });
    return limitedReply(session, ok('MOVE completed', `HIGHESTMODSEQ ${mailbox.modseq}`), code);
  },
};
