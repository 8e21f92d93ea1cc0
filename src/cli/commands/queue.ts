// waypost queue list|show

import { Command } from 'commander';
import type { QueueEntry } from '../../transfer/queue.ts';
import { columns, facts } from '../output.ts';
import { type CommandContext, type CommonOptions, common } from '../program.ts';
import { wholeNumber } from '../whole-number.ts';

export function queueCommand(context: CommandContext): Command {
  const queue = new Command('queue').description('what is still to be delivered');
  common(queue.command('list'))
    .description('all rows: a recipient of a message on a channel')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions) => {
      const list = await context.client(options).call<QueueEntry[]>('queue.list', { limit: 10_000 });
      context.printer(options).print(list, () =>
        columns(
          ['ID', 'MESSAGE', 'CHANNEL', 'DESTINATION', 'RECIPIENT', 'STATE', 'TRIES', 'NEXT', 'LAST ERROR'],
          list.map((row) => [
            String(row.id),
            row.message,
            row.channel,
            row.destination === '' ? '-' : row.destination,
            row.recipient,
            row.state,
            String(row.attempts),
            row.nextAttemptAt,
            row.lastError ?? '-',
          ]),
          'the queue is empty',
        ),
      );
    });
  common(queue.command('show'))
    .description('one row')
    .argument('<id>', 'as in queue list', wholeNumber)
    .option('--json', 'print JSON')
    .action(async (id: number, options: CommonOptions) => {
      const row = await context.client(options).call<QueueEntry>('queue.show', { id });
      context
        .printer(options)
        .print(row, () =>
          facts(Object.entries(row).map(([name, value]) => [name, value === null ? '-' : String(value)] as const)),
        );
    });
  return queue;
}
