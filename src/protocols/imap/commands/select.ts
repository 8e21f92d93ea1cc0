// SELECT and EXAMINE. RFC 3501 §6.3.1, §6.3.2, RFC 8474 §4.2

import { Failure } from '../../../base/failure.ts';
import { type MailboxCommand, parseMailbox } from '../../../wire/imap/commands/mailbox.ts';
import { mailboxObjectId } from '../../../wire/imap/object-id.ts';
import type { ImapConversation } from '../conversation.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { findNamed } from '../named-mailbox.ts';
import { ok, type TaggedResponse } from '../reply.ts';
import { SelectedMailbox } from '../selected.ts';

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
  const { reader, writer, clock, views } = session.door;
  const opener = { reader, writer, clock, views, breathe: () => session.breathe() };
  const key = { owner: row.owner, mailbox: row.id };
  const selected = await SelectedMailbox.open(opener, key, { reader: session.reader, readOnly });
  if (selected === undefined) throw gone();
  session.write(describe(selected));
  session.open(selected);
  return readOnly ? ok('EXAMINE completed', 'READ-ONLY') : ok('SELECT completed', 'READ-WRITE');
}

function describe(selected: SelectedMailbox): string {
  const { firstUnseen, uidValidity } = selected;
  const [flags, permanentFlags] = selected.flagsResponses().split('\r\n');
  let text = `${flags}\r\n* ${selected.count} EXISTS\r\n* ${selected.recentCount} RECENT\r\n`;
  if (firstUnseen !== undefined) text += `* OK [UNSEEN ${firstUnseen}] First unseen message\r\n`;
  text += `* OK [UIDVALIDITY ${uidValidity}] UIDs are valid\r\n`;
  text += `* OK [UIDNEXT ${selected.uidNext}] Predicted next UID\r\n`;
  text += `${permanentFlags}\r\n`;
  return `${text}* OK [MAILBOXID (${mailboxObjectId(selected.access.owner, selected.access.mailbox)})] Its identifier\r\n`;
}

function gone(): Failure {
  return new Failure('not-found', 'No such mailbox');
}
