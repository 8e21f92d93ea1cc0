// What the rows of found messages say, page by page, for what puts them into an order: no byte is read.
//
// Limits  IMAP_SORT_MESSAGES_MAX messages, else NO with LIMIT; PAGE_MESSAGES rows at a time
// RFC 5256 §3, RFC 5530 §3 LIMIT

import { Failure } from '../../base/failure.ts';
import { IMAP_SORT_MESSAGES_MAX } from '../../base/limits.ts';
import { type MessageSummary, summariesBetween } from '../../store/messages.ts';
import type { ImapConversation } from './conversation.ts';
import type { SelectedMailbox } from './selected.ts';

const PAGE_MESSAGES = 500;

/** `numbers` rise. One that is gone meanwhile is left out. */
export async function eachFoundRow(
  session: ImapConversation,
  { access, view }: SelectedMailbox,
  numbers: readonly number[],
  visit: (number: number, row: MessageSummary) => void,
): Promise<void> {
  if (numbers.length > IMAP_SORT_MESSAGES_MAX)
    throw new Failure('too-many', `At most ${IMAP_SORT_MESSAGES_MAX} messages are put into an order at once`);
  for (let at = 0; at < numbers.length && !session.gone; ) {
    const first = numbers[at]!;
    let count = 1;
    while (count < PAGE_MESSAGES && numbers[at + count] === first + count) count++;
    const range = [view.uidAt(first - 1), view.uidAt(first + count - 2)] as const;
    for (const row of summariesBetween(session.door.reader, access, range, count)) visit(view.numberOf(row.uid)!, row);
    at += count;
    const turn = session.breathe();
    if (turn !== undefined) await turn;
  }
}

/** Runs to the end what yields between its steps. */
export async function inTurns<T>(session: ImapConversation, steps: Generator<void, T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    const turn = session.breathe();
    if (turn !== undefined) await turn;
  }
}
