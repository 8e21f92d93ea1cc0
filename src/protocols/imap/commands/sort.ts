// SORT and UID SORT: found messages in an order, by what their rows say.
//
// Limits  IMAP_SORT_MESSAGES_MAX messages
// RFC 5256 §3, RFC 5267 §3, RFC 5957 §3 §4

import { sortInTurns } from '../../../base/sort-in-turns.ts';
import { decodeHeader, type HeaderValues } from '../../../message/header-values.ts';
import { displaySortValue, mailboxSortValue, sentDate, subjectSortValue } from '../../../message/sort-value.ts';
import type { MessageSummary } from '../../../store/messages.ts';
import { parseSort, type SortCommand, type SortCriterion, type SortKey } from '../../../wire/imap/commands/sort.ts';
import type { ImapConversation } from '../conversation.ts';
import { eachFoundRow, inTurns } from '../found-rows.ts';
import { type CommandDefinition, SELECTED } from '../handler.ts';
import { ok } from '../reply.ts';
import { foundModseq, numbersFor, type Results, writeNumbers } from '../search-results.ts';
import { SearchWalk } from '../search-walk.ts';
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

type SortValue = string | number;

interface Sortable {
  readonly number: number;
  readonly values: readonly SortValue[];
}

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
    const found = await (await SearchWalk.open(this.#session, mailbox, key)).first();
    const readsHeader = criteria.some((one) => one.key !== 'ARRIVAL' && one.key !== 'SIZE');
    const sortables: Sortable[] = [];
    await eachFoundRow(this.#session, mailbox, found, (number, row) => {
      const header = readsHeader ? decodeHeader(row.header) : undefined;
      sortables.push({ number, values: criteria.map((one) => sortValue(one.key, row, header)) });
    });
    const sorted = await inTurns(this.#session, sortInTurns(sortables, inOrderOf(criteria)));
    this.#sorted = sorted.map(({ number }) => number);
    return this.#sorted;
  }
}

/** Equal ones stay in the order of the mailbox: the sort is stable. */
function inOrderOf(criteria: readonly SortCriterion[]): (a: Sortable, b: Sortable) => number {
  return (a, b) => {
    for (let i = 0; i < criteria.length; i++) {
      const first = a.values[i]!;
      const second = b.values[i]!;
      if (first !== second) return first < second !== criteria[i]!.isReverse ? -1 : 1;
    }
    return 0;
  };
}

function sortValue(key: SortKey, row: MessageSummary, header: HeaderValues | undefined): SortValue {
  switch (key) {
    case 'ARRIVAL':
      return row.internalDate;
    case 'SIZE':
      return row.size;
    case 'DATE':
      return sentDate(header![0], row.internalDate);
    case 'SUBJECT':
      return subjectSortValue(header![1]);
    case 'FROM':
      return mailboxSortValue(header![2]);
    case 'TO':
      return mailboxSortValue(header![5]);
    case 'CC':
      return mailboxSortValue(header![6]);
    case 'DISPLAYFROM':
      return displaySortValue(header![2]);
    case 'DISPLAYTO':
      return displaySortValue(header![5]);
    default:
      return key satisfies never;
  }
}
