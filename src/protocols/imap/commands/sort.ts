// SORT and UID SORT: found messages in an order, by what their rows say.
//
// Limits  IMAP_SORT_MESSAGES_MAX messages
// RFC 5256 §3, RFC 5267 §3, RFC 5957 §3 §4

import { sortInTurns } from '../../../base/sort-in-turns.ts';
import { parseSort, type SortCommand } from '../../../wire/imap/commands/sort.ts';
import type { ImapConversation } from '../conversation.ts';
import { eachFoundRow, inTurns } from '../found-rows.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { ok } from '../reply.ts';
import { foundModseq, numbersFor, type Results, writeNumbers } from '../search-results.ts';
import { SearchWalk } from '../search-walk.ts';
import { inOrderOf, type SortedMessage, sortedMessage } from '../sort-order.ts';
import { checkCriteria, saving, writeAndSave } from './search.ts';

export const sort: CommandDefinition<SortCommand> = {
  states: SELECTED,
  usesNumbers: true,
  parse: parseSort,
  async run(command, session) {
    await saving(command, session, async () => {
      checkCriteria(command, session);
      const { byUid, returns } = command;
      const results = new SortedResults(session, command);
      if (returns !== undefined) return writeAndSave(session, results, returns, command);
      const found = await results.first();
      const modseq = await foundModseq(session, session.mailbox, command.key, found);
      await writeNumbers(session, 'SORT', numbersFor(session.mailbox, found, byUid), modseq);
    });
    return ok('SORT completed');
  },
};

class SortedResults implements Results {
  readonly #session: ImapConversation;
  readonly #command: SortCommand;
  #sorted: number[] | undefined;

  constructor(session: ImapConversation, command: SortCommand) {
    this.#session = session;
    this.#command = command;
  }

  async first(limit?: number): Promise<number[]> {
    return (await this.#all()).slice(0, limit);
  }

  async last(limit: number): Promise<number[]> {
    return (await this.#all()).slice(-limit);
  }

  async #all(): Promise<number[]> {
    if (this.#sorted !== undefined) return this.#sorted;
    const { criteria, key } = this.#command;
    const { mailbox } = this.#session;
    const found = await (await SearchWalk.open(this.#session, mailbox, key)).requireAll().first();
    const sortables: SortedMessage[] = [];
    await eachFoundRow(this.#session, mailbox, found, (number, row) =>
      sortables.push(sortedMessage(number, row, criteria)),
    );
    const sorted = await inTurns(this.#session, sortInTurns(sortables, inOrderOf(criteria)));
    this.#sorted = sorted.map(({ number }) => number);
    return this.#sorted;
  }
}
