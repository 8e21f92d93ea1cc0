// SELECT and EXAMINE. RFC 3501 §6.3.1, §6.3.2, RFC 8474 §4.2

import { Failure } from '../../../base/failure.ts';
import type { Mailbox } from '../../../store/mailboxes.ts';
import { firstUnseen } from '../../../store/messages.ts';
import { type MailboxCommand, parseMailbox } from '../../../wire/imap/commands/mailbox.ts';
import { mailboxObjectId } from '../../../wire/imap/object-id.ts';
import type { ImapConversation } from '../conversation.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { findNamed } from '../named-mailbox.ts';
import { ok, type TaggedResponse } from '../reply.ts';
import { SelectedMailbox } from '../selected.ts';

/** In a larger mailbox the first unseen message is not looked for: it may stand at the end of a long walk. */
const UNSEEN_WALK_MAX = 50_000;

export const select: CommandDefinition<MailboxCommand<'SELECT'>> = {
  states: LOGGED_IN,
  parse: parseMailbox('SELECT'),
  run: ({ mailbox }, session) => open(session, mailbox, false),
};

export const examine: CommandDefinition<MailboxCommand<'EXAMINE'>> = {
  states: LOGGED_IN,
  parse: parseMailbox('EXAMINE'),
  run: ({ mailbox }, session) => open(session, mailbox, true),
};

async function open(session: ImapConversation, name: string, readOnly: boolean): Promise<TaggedResponse> {
  // Whatever comes of it, the old mailbox is no longer selected.
  session.open(undefined);
  const row = findNamed(session, name);
  if (row === undefined) throw gone();
  if (!row.selectable) throw new Failure('invalid', 'There is no mailbox behind this name');
  const { reader, writer, clock } = session.door;
  const opener = { reader, writer, clock, breathe: () => session.breathe() };
  const selected = await SelectedMailbox.open(opener, row, { reader: session.reader, readOnly });
  if (selected === undefined) throw gone();
  session.write(describe(session, selected, row));
  session.open(selected);
  return readOnly ? ok('EXAMINE completed', 'READ-ONLY') : ok('SELECT completed', 'READ-WRITE');
}

function describe(session: ImapConversation, selected: SelectedMailbox, row: Mailbox): string {
  const { view, uidValidity } = selected;
  const [flags, permanentFlags] = selected.flagsResponses().split('\r\n');
  let text = `${flags}\r\n* ${view.count} EXISTS\r\n* ${selected.recentCount} RECENT\r\n`;
  if (row.unseen > 0 && row.messages <= UNSEEN_WALK_MAX) {
    const uid = firstUnseen(session.door.reader, selected.access);
    const number = uid === undefined ? undefined : view.numberOf(uid);
    if (number !== undefined) text += `* OK [UNSEEN ${number}] First unseen message\r\n`;
  }
  text += `* OK [UIDVALIDITY ${uidValidity}] UIDs are valid\r\n`;
  text += `* OK [UIDNEXT ${selected.uidNext}] Predicted next UID\r\n`;
  text += `${permanentFlags}\r\n`;
  return `${text}* OK [MAILBOXID (${mailboxObjectId(row.owner, row.id)})] Its identifier\r\n`;
}

function gone(): Failure {
  return new Failure('not-found', 'No such mailbox');
}
