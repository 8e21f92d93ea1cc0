// STORE and UID STORE. RFC 3501 §6.4.6
//
// Slices of STATUS_SLICE messages are committed one after another; each is whole.

import { statusBetween } from '../../../store/messages.ts';
import { STATUS_SLICE, storeFlags, type UidRange } from '../../../store/status.ts';
import { parseStore, type StoreCommand } from '../../../wire/imap/commands/store.ts';
import type { ImapConversation } from '../conversation.ts';
import { flagSet } from '../flag-set.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { no, ok } from '../reply.ts';

export const store: CommandDefinition<StoreCommand> = {
  states: SELECTED,
  usesNumbers: true,
  parse: parseStore,
  async run(command, session) {
    const mailbox = session.writableMailbox;
    const { account, id, view } = mailbox;
    const byUid = command.messages.unit === 'uid';
    const places = view.places(command.messages);
    // What others changed is reported first: a silent change of ours would hide it.
    await session.reportChanges({ expunges: false, withUid: byUid });
    for (const ranges of view.uidSlices(places, STATUS_SLICE)) {
      const args = { account, mailbox: id, ranges, change: command.mode, by: flagSet(command.flags) };
      const { modseq, changed } = await session.door.writer.execute(storeFlags, args);
      if (command.mode !== 'remove') session.write(mailbox.newKeywords(command.flags.keywords));
      if (!command.silent) await writeFlags(session, ranges, byUid);
      else if (changed > 0) mailbox.silence(modseq);
      // A slice at a time, since a look at all of a large mailbox would hold up others.
      await session.reportChanges({ expunges: false, withUid: byUid });
      await session.breathe();
    }
    if (!byUid && mailbox.holdsVanished(places)) return no('Some of the messages no longer exist', 'EXPUNGEISSUED');
    return ok('STORE completed');
  },
};

/** The flags of every message that was named, changed or not. */
async function writeFlags(session: ImapConversation, ranges: readonly UidRange[], withUid: boolean): Promise<void> {
  const { mailbox, door } = session;
  for (const [from, to] of ranges) {
    let text = '';
    // A range is a part of a slice, so it is a part of a page.
    for (const status of statusBetween(door.reader, mailbox.account, mailbox.id, from, to)) {
      mailbox.reported(status);
      const uid = withUid ? `UID ${status.uid} ` : '';
      const announcement = mailbox.newKeywords(status.keywords);
      text += `${announcement}* ${mailbox.view.numberOf(status.uid)} FETCH (${uid}${mailbox.flagsItem(status)})\r\n`;
    }
    session.write(text);
    await session.breathe();
  }
}
