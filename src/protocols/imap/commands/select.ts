// SELECT and EXAMINE. RFC 3501 §6.3.1 §6.3.2, RFC 4467 §8, RFC 7162 §3.1.2 §3.1.8 §3.2.5 §3.2.11, RFC 9051 §6.3.2, RFC 9586 §3, RFC 8474 §4.2

import { Failure } from '../../../base/failure.ts';
import type { MailboxRight } from '../../../store/rights.ts';
import { parseSelect, type SelectCommand } from '../../../wire/imap/commands/select.ts';
import { mailboxObjectId } from '../../../wire/imap/object-id.ts';
import { encodeList } from '../../../wire/imap/responses/mailbox.ts';
import { encodeUntagged } from '../../../wire/imap/responses/status.ts';
import type { ImapConversation } from '../conversation.ts';
import { ImapFailure } from '../errors.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { findNamed, shownName, spelledFor } from '../named-mailbox.ts';
import { accessTo, permittedFlags, rightsIn } from '../permitted.ts';
import { ok, type TaggedResponse } from '../reply.ts';
import { resynchronize } from '../resync.ts';
import { SelectedMailbox } from '../selected.ts';

export const select: CommandDefinition<SelectCommand<'SELECT'>> = {
  states: LOGGED_IN,
  parse: parseSelect('SELECT'),
  run: (command, session) => open(session, command, false),
};

export const examine: CommandDefinition<SelectCommand<'EXAMINE'>> = {
  states: LOGGED_IN,
  parse: parseSelect('EXAMINE'),
  run: (command, session) => open(session, command, true),
};

const CHANGING: readonly MailboxRight[] = ['s', 't', 'w', 'e', 'i'];

async function open(
  session: ImapConversation,
  { mailbox, condstore, qresync }: SelectCommand,
  readOnly: boolean,
): Promise<TaggedResponse> {
  if (qresync !== undefined && !session.enabled.has('QRESYNC')) throw new Failure('syntax', 'ENABLE QRESYNC first');
  // RFC 9586 §3.5
  if (qresync?.pairs !== undefined && session.enabled.has('UIDONLY'))
    throw new ImapFailure('syntax', 'UIDONLY is enabled: there are no sequence numbers', 'UIDREQUIRED');
  // Whatever comes of it, the old mailbox is no longer selected.
  if (session.selected !== undefined) session.write(encodeUntagged('OK', 'Previous mailbox closed', 'CLOSED'));
  session.open(undefined);
  if (condstore) session.enable('CONDSTORE');
  const row = findNamed(session, mailbox, 'r');
  if (row === undefined) throw gone();
  if (!row.selectable) throw new Failure('invalid', 'There is no mailbox behind this name');
  const { enabled, door } = session;
  const { reader, writer, clock, views } = door;
  const opener = { reader, writer, clock, views, enabled, breathe: () => session.breathe() };
  const key = { owner: row.owner, mailbox: row.id };
  // Who knows the mailbox is told what is new of it; UNSEEN is for those who do not.
  const isKnown = qresync?.uidValidity === row.uidValidity;
  const { status } = accessTo(session, key);
  const { may } = permittedFlags(session, key);
  // RFC 4314 §5.2: where nothing can be changed.
  const isReadOnly = readOnly || !CHANGING.some((right) => rightsIn(session, key).rights.includes(right));
  const as = {
    reader: session.reader,
    readOnly: isReadOnly,
    status,
    ...(may && { may }),
    ...(isKnown ? { newest: 0 } : {}),
  };
  const selected = await SelectedMailbox.open(opener, key, as);
  if (selected === undefined) throw gone();
  session.write(describe(session, selected));
  // RFC 9051 §6.3.2
  if (enabled.has('IMAP4REV2'))
    session.write(encodeList('LIST', [], spelledFor(session, shownName(session, row, mailbox))));
  if (isKnown) await resynchronize(session, selected, qresync);
  session.open(selected);
  return ok(readOnly ? 'EXAMINE completed' : 'SELECT completed', isReadOnly ? 'READ-ONLY' : 'READ-WRITE');
}

function describe({ enabled }: ImapConversation, selected: SelectedMailbox): string {
  const { uidValidity } = selected;
  // IMAP4rev2 has none, and it is a sequence number.
  const firstUnseen = enabled.has('IMAP4REV2') || enabled.has('UIDONLY') ? undefined : selected.firstUnseen;
  const [flags, permanentFlags] = selected.flagsResponses().split('\r\n');
  let text = `${flags}\r\n${selected.countResponses()}`;
  if (firstUnseen !== undefined) text += `* OK [UNSEEN ${firstUnseen}] First unseen message\r\n`;
  text += `* OK [UIDVALIDITY ${uidValidity}] UIDs are valid\r\n`;
  text += `* OK [UIDNEXT ${selected.uidNext}] Predicted next UID\r\n`;
  text += `${permanentFlags}\r\n* OK [HIGHESTMODSEQ ${selected.modseq}] Highest\r\n`;
  text += '* OK [URLMECH INTERNAL] How URLs are authorized\r\n';
  return `${text}* OK [MAILBOXID (${mailboxObjectId(selected.access.owner, selected.access.mailbox)})] Its identifier\r\n`;
}

function gone(): Failure {
  return new Failure('not-found', 'No such mailbox');
}
