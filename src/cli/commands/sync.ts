// waypost sync status

import { Command } from 'commander';
import type { SyncStatus } from '../../admin/sync.ts';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { facts } from '../output.ts';

export function syncCommand(context: CommandContext): Command {
  const sync = new Command('sync').description('the routing and alias tables');
  common(sync.command('status'))
    .description('what the tables hold, and what the compiler could not use')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions) => {
      const status = await context.client(options).call('sync.status', {});
      context.printer(options).print(status, () => text(status));
    });
  return sync;
}

function text(status: SyncStatus): string {
  const problems = status.problems.flatMap(({ dn, problems: list }) =>
    list.map(({ attribute, value, reason }) => `${dn}  ${attribute}: ${value}  (${reason})`),
  );
  return [
    facts([
      ['directory', `revision ${status.revision}`],
      ['tables', `revision ${status.tableRevision}, generation ${status.generation}`],
      ['domains', String(status.domains)],
      ['addresses', String(status.addresses)],
      ['not usable', String(problems.length)],
    ]),
    ...problems,
  ].join('\n');
}
