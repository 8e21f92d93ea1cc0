// EXPUNGE and UID EXPUNGE. RFC 3501 §6.4.3, RFC 4315 §2.1, RFC 7162 §3.2.7, RFC 9738 §3.1

import { STORE_SLICE_MESSAGES } from '../../../base/limits.ts';
import { expunge as expungeMessages } from '../../../store/expunge.ts';
import { type ExpungeCommand, parseExpunge } from '../../../wire/imap/commands/expunge.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { limitedReply, limitMessages } from '../message-limit.ts';
import { permitted, whileRightsMove } from '../permitted.ts';
import { ok } from '../reply.ts';

export const expunge: CommandDefinition<ExpungeCommand> = {
  states: SELECTED,
  removes: true,
  parse: parseExpunge,
  async run({ uids }, session) {
    const mailbox = session.writableMailbox;
    if (uids !== undefined) await mailbox.load(uids);
    const { access, view } = mailbox;
    const { positions, code } = limitMessages(session, mailbox, uids === undefined ? [] : mailbox.positions(uids));
    const slices = uids === undefined ? [undefined] : [...view.uidSlices(positions, STORE_SLICE_MESSAGES)];
    let expunged = 0;
    for (const ranges of slices) {
      const args = { ...access, ranges, deletedOnly: true };
      for (let more = true; more; ) {
        const outcome = await whileRightsMove(() =>
          session.door.writer.execute(expungeMessages, { ...args, ...permitted(session, access, 'e') }),
        );
        ({ more } = outcome);
        expunged += outcome.expunged;
        // What has gone is reported as what others removed is, and a slice at a time.
        await session.reportChanges({ expunges: true, withUid: uids !== undefined, isOwn: true });
        await session.breathe();
        if (session.gone) return undefined;
      }
    }
    // RFC 7162 §3.2.7: for a client that keeps the mailbox.
    const isKept = expunged > 0 && session.enabled.has('QRESYNC');
    return limitedReply(session, ok('EXPUNGE completed', isKept ? `HIGHESTMODSEQ ${mailbox.modseq}` : undefined), code);
  },
};
