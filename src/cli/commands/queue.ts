// waypost queue list|show|retry|remove

import { Command, CommanderError } from 'commander';
import type { ManagedQueue } from '../../admin/queue.ts';
import { EXIT } from '../../base/exit.ts';
import type { QueueEntry } from '../../transfer/queue.ts';
import type { AdminClient } from '../client.ts';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { columns, facts } from '../output.ts';
import { wholeNumber } from '../whole-number.ts';

/** Rows of one answer. */
const PAGE = 10_000;

interface ManageOptions extends CommonOptions {
  readonly all?: boolean;
  readonly dryRun?: boolean;
}

export function queueCommand(context: CommandContext): Command {
  const queue = new Command('queue').description('what is still to be delivered');
  common(queue.command('list'))
    .description('all rows: a recipient of a message on a channel')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions) => {
      const list = await wholeQueue(context.client(options));
      context.printer(options).print(list, () =>
        columns(
          ['ID', 'MESSAGE', 'CHANNEL', 'DESTINATION', 'RECIPIENT', 'STATE', 'TRIES', 'NEXT', 'WAITS FOR', 'LAST ERROR'],
          list.map((row) => [
            String(row.id),
            row.message,
            row.channel,
            row.destination === '' || row.waitsFor !== null ? '-' : row.destination,
            row.recipient,
            row.state,
            String(row.attempts),
            row.nextAttemptAt ?? '-',
            row.waitsFor ?? '-',
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
      const row = await context.client(options).call('queue.show', { id });
      context
        .printer(options)
        .print(row, () =>
          facts(Object.entries(row).map(([name, value]) => [name, value === null ? '-' : String(value)] as const)),
        );
    });
  common(queue.command('retry'))
    .description('try rows at once, whenever they would have been due')
    .argument('[id...]', 'of rows as in queue list, or queue ids of messages')
    .option('--all', 'all rows')
    .option('--json', 'print JSON')
    .action(async (ids: string[], options: ManageOptions) => {
      const all = options.all === true;
      if (all === ids.length > 0) throw new CommanderError(EXIT.usage, 'waypost.ids', 'give ids, or --all');
      const managed = await context.client(options).call('queue.retry', all ? { all } : { ids });
      context.printer(options).print(managed, () => managedText(managed, 'due now'));
      if (managed.unknown.length > 0) context.exit(EXIT.no);
    });
  common(queue.command('remove'))
    .description('take rows away; no report is made')
    .argument('<id...>', 'of rows as in queue list, or queue ids of messages')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (ids: string[], options: ManageOptions) => {
      const { dryRun } = options;
      const managed = await context.client(options).call('queue.remove', { ids, dryRun });
      const done = dryRun === true ? 'would be removed' : 'removed';
      context.printer(options).print(managed, () => managedText(managed, done));
      if (managed.unknown.length > 0) context.exit(EXIT.no);
    });
  return queue;
}

async function wholeQueue(client: AdminClient): Promise<QueueEntry[]> {
  const list: QueueEntry[] = [];
  for (;;) {
    const page = await client.call('queue.list', { after: list.at(-1)?.id ?? 0, limit: PAGE });
    list.push(...page);
    if (page.length < PAGE) return list;
  }
}

function managedText({ changed, unknown }: ManagedQueue, done: string): string {
  const lines = [`${changed} ${changed === 1 ? 'row' : 'rows'} ${done}`];
  if (unknown.length > 0) lines.push(`no such row: ${unknown.join(' ')}`);
  return lines.join('\n');
}
