// STORE and UID STORE. RFC 3501 §6.4.6, RFC 2180 §4.2.1
//
// Slices of STORE_SLICE_MESSAGES messages are committed one after another; each is whole.

import { STORE_SLICE_MESSAGES } from '../../../base/limits.ts';
import { storeFlags } from '../../../store/flags-change.ts';
import type { UidRange } from '../../../store/mailbox-key.ts';
import { flagsBetween } from '../../../store/messages.ts';
import { parseStore, type StoreCommand } from '../../../wire/imap/commands/store.ts';
import type { ImapConversation } from '../conversation.ts';
import { flagSet } from '../flag-set.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { countPositions } from '../mailbox-view.ts';
import { no, ok } from '../reply.ts';

export const store: CommandDefinition<StoreCommand> = {
  states: SELECTED,
  usesNumbers: true,
  parse: parseStore,
  async run(command, session) {
    const mailbox = session.writableMailbox;
    await mailbox.load(command.messages);
    const { access, view } = mailbox;
    const { byUid } = command;
    const positions = mailbox.positions(command.messages);
    // What others changed is reported first: a silent change of ours would hide it.
    await session.reportChanges({ expunges: false, withUid: byUid });
    for (const ranges of view.uidSlices(positions, STORE_SLICE_MESSAGES)) {
      const args = { ...access, ranges, change: command.mode, by: flagSet(command.flags) };
      const { modseq, changed } = await session.door.writer.execute(storeFlags, args);
      if (command.mode !== 'remove') session.write(mailbox.newKeywords(command.flags.keywords));
      if (!command.silent) await writeFlags(session, ranges, byUid);
      else if (changed > 0) mailbox.silence(modseq);
      // A slice at a time, since a look at all of a large mailbox would hold up others.
      await session.reportChanges({ expunges: false, withUid: byUid });
      await session.breathe();
    }
    const gone = byUid ? 0 : mailbox.countVanished(positions);
    if (gone === 0) return ok('STORE completed');
    if (gone === countPositions(positions)) return no('None of the messages exists any more', 'EXPUNGEISSUED');
    return ok('STORE completed for the messages that are left', 'EXPUNGEISSUED');
  },
};

/** The flags of every message that was named, changed or not. */
async function writeFlags(session: ImapConversation, ranges: readonly UidRange[], withUid: boolean): Promise<void> {
  const { mailbox, door } = session;
  for (const range of ranges) {
    let text = '';
    // A range is a part of a slice, so it is a part of a page.
    for (const message of flagsBetween(door.reader, mailbox.access, range)) {
      mailbox.reported(message);
      const uid = withUid ? `UID ${message.uid} ` : '';
      const announcement = mailbox.newKeywords(message.keywords);
      text += `${announcement}* ${mailbox.view.numberOf(message.uid)} FETCH (${uid}${mailbox.flagsItem(message)})\r\n`;
    }
    session.write(text);
    await session.breathe();
  }
}
