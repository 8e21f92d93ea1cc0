// STORE and UID STORE. RFC 3501 §6.4.6, RFC 2180 §4.2.1, RFC 7162 §3.1.3, RFC 9738 §3.1
//
// Slices of STORE_SLICE_MESSAGES messages are committed one after another; each is whole.

import { Failure } from '../../../base/failure.ts';
import type { Modseq, Uid } from '../../../base/ids.ts';
import { STORE_SLICE_MESSAGES } from '../../../base/limits.ts';
import { type FlagChange, type FlagSet, flagsWithin } from '../../../store/flags.ts';
import { storeFlags } from '../../../store/flags-change.ts';
import type { MailboxAccess, UidRange } from '../../../store/mailbox-key.ts';
import { flagsBetween } from '../../../store/messages.ts';
import { parseStore, type StoreCommand } from '../../../wire/imap/commands/store.ts';
import { encodeModseqItem } from '../../../wire/imap/responses/fetch.ts';
import { encodeUidSet } from '../../../wire/imap/responses/mailbox.ts';
import { rangesOf } from '../../../wire/imap/values.ts';
import type { ImapConversation } from '../conversation.ts';
import { flagSet } from '../flag-set.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { countPositions } from '../mailbox-view.ts';
import { limitedReply, limitMessages } from '../message-limit.ts';
import { accessTo, maySetNone, type PermittedFlags, permittedFlags, whileRightsMove } from '../permitted.ts';
import { no, ok, type TaggedResponse } from '../reply.ts';

export const store: CommandDefinition<StoreCommand> = {
  states: SELECTED,
  usesNumbers: true,
  parse: parseStore,
  async run(command, session) {
    const mailbox = session.writableMailbox;
    await mailbox.load(command.messages);
    const { access, view } = mailbox;
    const { byUid } = command;
    const { positions, code: limitCode } = limitMessages(session, mailbox, mailbox.positions(command.messages));
    const reply = (response: TaggedResponse) => limitedReply(session, response, limitCode);
    if (command.unchangedSince !== undefined) session.enable('CONDSTORE');
    const { unchangedSince } = command;
    const condition = unchangedSince === undefined ? {} : { unchangedSince };
    const modified: Uid[] = [];
    // What others changed is reported first: a silent change of ours would hide it.
    await session.reportChanges({ expunges: false, withUid: byUid });
    for (const ranges of view.uidSlices(positions, STORE_SLICE_MESSAGES)) {
      const args = { ...access, ranges, change: command.mode, by: flagSet(command.flags), ...condition };
      const outcome = await whileRightsMove(() =>
        session.door.writer.execute(storeFlags, {
          ...args,
          ...accessTo(session, access),
          ...permittedToStore(session, args),
        }),
      );
      if (command.mode !== 'remove') session.write(mailbox.newKeywords(command.flags.keywords));
      if (!command.silent || session.enabled.has('CONDSTORE')) await writeFlags(session, ranges, command, outcome);
      else if (outcome.changed > 0) mailbox.silence(outcome.modseq);
      for (const uid of outcome.modified) modified.push(uid);
      // A slice at a time, since a look at all of a large mailbox would hold up others.
      await session.reportChanges({ expunges: false, withUid: byUid });
      await session.breathe();
    }
    const gone = byUid ? 0 : mailbox.countVanished(positions);
    if (modified.length > 0) {
      const numbers = byUid ? modified : modified.map((uid) => view.numberOf(uid)!);
      const code = `MODIFIED ${encodeUidSet(rangesOf(numbers))}`;
      return gone === 0
        ? reply(ok('Some of the messages have changed since', code))
        : reply(no('Some of the messages have changed since, or no longer exist', code));
    }
    if (gone === 0) return reply(ok('STORE completed'));
    if (gone === countPositions(positions)) return reply(no('None of the messages exists any more', 'EXPUNGEISSUED'));
    return reply(ok('STORE completed for the messages that are left', 'EXPUNGEISSUED'));
  },
};

/** What of it may be changed; the rest is passed over, unless it is all. RFC 4314 §4 */
function permittedToStore(
  session: ImapConversation,
  { change, by, ...access }: MailboxAccess & { readonly change: FlagChange; readonly by: FlagSet },
): PermittedFlags {
  const permitted = permittedFlags(session, access);
  const { may } = permitted;
  if (may === undefined) return permitted;
  const { flags, keywords } = flagsWithin(by, may);
  const isNone = flags === 0 && keywords.length === 0;
  const asksForNone = by.flags === 0 && by.keywords.length === 0;
  if (maySetNone(permitted) || (isNone && !asksForNone && change !== 'replace'))
    throw new Failure('denied', 'You have no right to change these flags in this mailbox');
  return permitted;
}

/** Of every message that was named, changed or not, but those that stayed as they were: its flags, or where the client asked for silence its modseq. */
async function writeFlags(
  session: ImapConversation,
  ranges: readonly UidRange[],
  { silent, byUid }: StoreCommand,
  { modseq, modified }: { readonly modseq: Modseq; readonly modified: readonly Uid[] },
): Promise<void> {
  const { mailbox, door } = session;
  const stayed = new Set(modified);
  const withUid = byUid || session.enabled.has('QRESYNC');
  for (const range of ranges) {
    let text = '';
    // A range is a part of a slice, so it is a part of a page.
    for (const message of flagsBetween(door.reader, mailbox.access, range)) {
      // What another has changed since is told with its flags, by the report that follows.
      if (stayed.has(message.uid) || (silent && message.modseq > modseq)) continue;
      mailbox.reported(message);
      if (!silent) text += mailbox.flagsResponse(message, withUid);
      else {
        const uid = withUid ? `UID ${message.uid} ` : '';
        text += `${mailbox.responseHead(message.uid)}${uid}${encodeModseqItem(message.modseq)})\r\n`;
      }
    }
    session.write(text);
    await session.breathe();
  }
}
