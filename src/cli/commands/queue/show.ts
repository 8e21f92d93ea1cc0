// waypost queue show: all that is known of rows, or a message in the text form, which queue import takes.

import { Command, CommanderError } from 'commander';
import type { AdminInput } from '../../../admin/operations.ts';
import { EXIT } from '../../../base/exit.ts';
import type { QueueEntry } from '../../../transfer/queue.ts';
import type { AdminClient } from '../../client.ts';
import type { CommandContext } from '../../command.ts';
import { facts } from '../../output.ts';
import { type FilterOptions, filtersOf, withFilters } from './chosen.ts';
import { wholeQueue } from './list.ts';

interface ShowOptions extends FilterOptions {
  readonly raw?: boolean;
}

export function showCommand(context: CommandContext): Command {
  return withFilters(new Command('show').argument('[id...]', 'of rows as in queue list, or queue ids of messages'))
    .description('rows with all that is known of them')
    .option('--raw', 'envelope and message in the text form, for queue import')
    .option('--json', 'print JSON')
    .action(async (ids: string[], options: ShowOptions) => {
      const filters = filtersOf(options);
      const hasFilters = Object.keys(filters).length > 0;
      if (ids.length > 0 === hasFilters)
        throw new CommanderError(EXIT.usage, 'waypost.ids', 'give ids, or options that say which rows');
      const client = context.client(options);
      if (options.raw === true) {
        const [id, ...more] = ids;
        if (id === undefined || more.length > 0)
          throw new CommanderError(EXIT.usage, 'waypost.ids', 'one id is written in the text form at a time');
        await writeRaw(client, id);
        return;
      }
      const [id, ...more] = ids;
      if (id !== undefined && more.length === 0 && /^\d{1,9}$/.test(id)) {
        const row = await client.call('queue.show', { id: Number(id) });
        context.printer(options).print(row, () => text(row));
        return;
      }
      const rows = await wholeQueue(client, hasFilters ? filters : { ids });
      if (rows.length === 0) context.exit(EXIT.no);
      context.printer(options).print(rows, () => rows.map(text).join('\n\n'));
    });
}

function text(row: QueueEntry): string {
  return facts(Object.entries(row).map(([name, value]) => [name, value === null ? '-' : String(value)] as const));
}

async function writeRaw(client: AdminClient, id: string): Promise<void> {
  let input: AdminInput<'queue.raw'> = { id };
  for (;;) {
    const { base64, at } = await client.call('queue.raw', input);
    await written(Buffer.from(base64, 'base64'));
    if (at === null) return;
    input = { id, at };
  }
}

function written(bytes: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
