// waypost queue list: rows, or a line a destination.

import { Command, CommanderError, Option } from 'commander';
import type { AdminInput } from '../../../admin/operations.ts';
import { EXIT } from '../../../base/exit.ts';
import type { QueuedDestination } from '../../../transfer/destinations.ts';
import type { QueueEntry } from '../../../transfer/queue.ts';
import type { AdminClient } from '../../client.ts';
import type { CommandContext } from '../../command.ts';
import { columns } from '../../output.ts';
import { type FilterOptions, filtersOf, withFilters } from './chosen.ts';

/** Rows of one answer. */
const PAGE = 10_000;

interface ListOptions extends FilterOptions {
  readonly by?: 'destination';
}

export function listCommand(context: CommandContext): Command {
  return withFilters(new Command('list').argument('[id...]', 'of rows, or queue ids of messages'))
    .description('all rows, or some: a recipient of a message on a channel')
    .addOption(
      new Option('--by <what>', 'a line a destination: rows, ages, what was said last').choices(['destination']),
    )
    .option('--json', 'print JSON')
    .action(async (ids: string[], options: ListOptions) => {
      const client = context.client(options);
      const filters = filtersOf(options);
      if (options.by === undefined) {
        const list = await wholeQueue(client, { ...filters, ...(ids.length > 0 ? { ids } : {}) });
        context.printer(options).print(list, () => rowsText(list));
        return;
      }
      if (ids.length > 0)
        throw new CommanderError(EXIT.usage, 'waypost.by', '--by destination counts rows: filters go with it, no ids');
      const lines = await client.call('queue.destinations', filters);
      context.printer(options).print(lines, () => destinationsText(lines));
    });
}

/** Ids or filters go to each page. */
export async function wholeQueue(client: AdminClient, which: AdminInput<'queue.list'>): Promise<QueueEntry[]> {
  const list: QueueEntry[] = [];
  for (;;) {
    const page = await client.call('queue.list', { ...which, after: list.at(-1)?.id ?? 0, limit: PAGE });
    list.push(...page);
    if (page.length < PAGE) return list;
  }
}

function rowsText(list: readonly QueueEntry[]): string {
  return columns(
    ['ID', 'MESSAGE', 'CHANNEL', 'DESTINATION', 'RECIPIENT', 'STATE', 'TRIES', 'NEXT', 'WAITS FOR', 'LAST ERROR'],
    list.map((row) => [
      String(row.id),
      row.message,
      row.channel,
      row.destination === '' || row.waitsFor !== null ? '-' : row.destination,
      row.recipient,
      row.heldBy === null ? row.state : `held by ${row.heldBy}`,
      String(row.attempts),
      row.nextAttemptAt ?? '-',
      row.waitsFor ?? '-',
      row.lastError ?? '-',
    ]),
    'the queue is empty',
  );
}

function destinationsText(lines: readonly QueuedDestination[]): string {
  return columns(
    ['CHANNEL', 'DESTINATION', 'ROWS', 'HELD', '<1m', '<10m', '<1h', '<6h', '<1d', 'OLDER', 'OLDEST', 'LAST ERROR'],
    lines.map(({ channel, destination, rows, held, ages, oldest, reason }) => [
      channel,
      destination === '' ? '-' : destination,
      String(rows),
      String(held),
      ...ages.map(String),
      oldest,
      reason ?? '-',
    ]),
    'the queue is empty',
  );
}
