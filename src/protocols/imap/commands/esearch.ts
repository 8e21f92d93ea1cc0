// ESEARCH: one search of several mailboxes, a response for each in which something was found.
//
// A mailbox that is not selected is read as an EXAMINE of this moment would show it; its numbers are UIDs, and nothing stays open
// RFC 7377 §2

import { Failure } from '../../../base/failure.ts';
import type { Mailbox } from '../../../store/mailboxes.ts';
import { type EsearchCommand, parseEsearch } from '../../../wire/imap/commands/esearch.ts';
import type { ImapConversation } from '../conversation.ts';
import { filteredMailboxes } from '../filtered-mailboxes.ts';
import { type CommandDefinition, LOGGED_IN } from '../handler.ts';
import { spelledFor } from '../named-mailbox.ts';
import { ok } from '../reply.ts';
import { answerOf, foundModseq, saveResults, writeAnswer } from '../search-results.ts';
import { SearchWalk } from '../search-walk.ts';
import { SelectedMailbox } from '../selected.ts';
import { checkCriteria, keeping, saving } from './search.ts';

export const esearch: CommandDefinition<EsearchCommand> = {
  states: LOGGED_IN,
  parse: parseEsearch,
  async run(command, session) {
    const needsSelected = command.sources.some(({ kind }) => kind === 'SELECTED');
    const wantsSelected = needsSelected || command.returns.options.has('UPDATE');
    if (wantsSelected && session.selected === undefined) throw new Failure('syntax', 'No mailbox is selected');
    const run = async (): Promise<void> => {
      checkCriteria(command, session);
      for (const row of filteredMailboxes(session, command.sources)) {
        if (session.gone) return;
        await searchOne(session, row, command);
        await session.breathe();
      }
    };
    await (session.selected === undefined ? run() : saving(command, session, run));
    return ok('ESEARCH completed');
  },
};

async function searchOne(session: ImapConversation, row: Mailbox, { key, returns }: EsearchCommand): Promise<void> {
  const mailbox = await opened(session, row);
  if (mailbox === undefined) return;
  const { options, partial } = returns;
  const isKept = options.has('UPDATE') && mailbox === session.selected;
  const keep = isKept
    ? keeping(session, { key, byUid: true, criteria: undefined, fetched: returns.fetched })
    : undefined;
  const answer = await answerOf((await SearchWalk.open(session, mailbox, key)).requireAll(), returns);
  if (options.has('SAVE')) saveResults(mailbox, answer.found);
  const saysNothing = options.size === 1 && options.has('SAVE') && partial === undefined;
  keep?.(answer);
  if (saysNothing || answer.isEmpty) return;
  const named = { name: spelledFor(session, row.name), uidValidity: mailbox.uidValidity };
  const modseq = await foundModseq(session, mailbox, key, answer.found);
  await writeAnswer(session, mailbox, answer, { byUid: true, modseq, mailbox: named });
}

/** Undefined when it is gone meanwhile. */
async function opened(session: ImapConversation, { owner, id }: Mailbox): Promise<SelectedMailbox | undefined> {
  const key = { owner, mailbox: id };
  if (session.selected?.isOf(key) === true) return session.selected;
  const { enabled, door } = session;
  const { reader, writer, clock, views } = door;
  const opener = { reader, writer, clock, views, enabled, breathe: () => session.breathe() };
  return SelectedMailbox.open(opener, key, { reader: session.reader, readOnly: true, newest: 0 });
}
