// THREAD and UID THREAD: found messages with what answers them, by what their rows say.
//
// Limits  IMAP_SORT_MESSAGES_MAX messages
// RFC 5256 §3 BASE.6.4.THREAD; REFS as Dovecot: no subjects, the thread with the latest message last

import { baseSubject } from '../../../message/base-subject.ts';
import { decodeHeader } from '../../../message/header-values.ts';
import { sentDate } from '../../../message/sort-value.ts';
import { ancestorIds, ownId } from '../../../message/thread-id.ts';
import { type ThreadedMessage, thread as threadOf } from '../../../message/threads.ts';
import type { MessageSummary } from '../../../store/messages.ts';
import { parseThread, type ThreadCommand } from '../../../wire/imap/commands/thread.ts';
import { encodeThreads } from '../../../wire/imap/responses/thread.ts';
import { eachFoundRow, inTurns } from '../found-rows.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { ok } from '../reply.ts';
import { SearchWalk } from '../search-walk.ts';
import { checkCriteria } from './search.ts';

export const thread: CommandDefinition<ThreadCommand> = {
  states: SELECTED,
  usesNumbers: true,
  parse: parseThread,
  async run(command, session) {
    checkCriteria(command, session);
    const { key, byUid, algorithm } = command;
    const { mailbox } = session;
    const found = await (await SearchWalk.open(session, mailbox, key)).requireAll().first();
    const messages: ThreadedMessage[] = [];
    const numbers: number[] = [];
    await eachFoundRow(session, mailbox, found, (number, row) => {
      messages.push(threaded(row, algorithm));
      numbers.push(byUid ? row.uid : number);
    });
    const threads = await inTurns(session, threadOf(messages, algorithm));
    for (const piece of encodeThreads(threads, numbers)) {
      session.write(piece);
      const turn = session.breathe();
      if (turn !== undefined) await turn;
    }
    return ok('THREAD completed');
  },
};

function threaded(row: MessageSummary, algorithm: ThreadCommand['algorithm']): ThreadedMessage {
  const header = decodeHeader(row.header);
  const usesSubjects = algorithm !== 'REFS';
  const usesReferences = algorithm !== 'ORDEREDSUBJECT';
  const { base, isReply } = usesSubjects ? baseSubject(header[1] ?? '') : { base: '', isReply: false };
  return {
    id: usesReferences ? ownId(header[9]) : undefined,
    references: usesReferences ? ancestorIds(header[10], header[8]) : [],
    subject: base,
    isReply,
    date: sentDate(header[0], row.internalDate),
  };
}
