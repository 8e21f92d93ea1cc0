// STORE and UID STORE. RFC 3501 §6.4.6
//
// Slices of STATUS_SLICE messages are committed one after another; each is whole.

import { PAGE_ROWS, statusBetween } from '../../../store/messages.ts';
import { STATUS_SLICE, storeFlags } from '../../../store/status.ts';
import { parseStore, type StoreCommand } from '../../../wire/imap/commands/store.ts';
import { flagSet } from '../flag-set.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import type { PlaceRange } from '../mailbox-view.ts';
import { no, ok } from '../reply.ts';
import type { ImapSession } from '../session.ts';

export const store: CommandDefinition<StoreCommand> = {
  states: SELECTED,
  usesNumbers: true,
  parse: parseStore,
  async run(command, session) {
    const mailbox = session.writableMailbox;
    const { account, id, view } = mailbox;
    const byUid = command.messages.unit === 'uid';
    const places = view.places(command.messages);
    // What others changed is told first: a silent change of ours would hide it.
    await session.tellNews({ expunges: false, withUid: byUid });
    for (const ranges of view.uidSlices(places, STATUS_SLICE)) {
      const args = { account, mailbox: id, ranges, change: command.mode, by: flagSet(command.flags) };
      const { modseq, changed } = await session.door.writer.execute(storeFlags, args);
      if (command.silent && changed > 0) mailbox.silence(modseq);
    }
    if (!command.silent) for (const range of places) await tellFlags(session, range, byUid);
    if (!byUid && mailbox.holdsVanished(places)) return no('Some of the messages no longer exist', 'EXPUNGEISSUED');
    return ok('STORE completed');
  },
};

/** The flags of every message that was named, changed or not. */
async function tellFlags(session: ImapSession, { from, to }: PlaceRange, withUid: boolean): Promise<void> {
  const { mailbox, door } = session;
  const { account, id, view } = mailbox;
  const last = view.uidAt(to - 1);
  for (let first = view.uidAt(from); first <= last; ) {
    const page = statusBetween(door.reader, account, id, first, last);
    let text = '';
    for (const status of page) {
      mailbox.told(status);
      const uid = withUid ? `UID ${status.uid} ` : '';
      text += `${mailbox.newKeywords(status.keywords)}* ${view.numberOf(status.uid)} FETCH (${uid}${mailbox.flagsItem(status)})\r\n`;
    }
    session.write(text);
    await session.breathe();
    if (page.length < PAGE_ROWS) return;
    first = page[page.length - 1]!.uid + 1;
  }
}
