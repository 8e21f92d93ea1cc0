// waypost host add|list|remove

import { Command } from 'commander';
import { type CommandContext, type CommonOptions, common, type DryRunOptions } from '../command.ts';
import { columns, printable } from '../output.ts';
import { changedText } from './changed.ts';

export function hostCommand(context: CommandContext): Command {
  const host = new Command('host').description('servers of this directory');
  common(host.command('add'))
    .description(
      'let another server follow this directory: two lines for its waypost.toml, and its password on standard error',
    )
    .argument('<name>', 'its host name')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (name: string, options: DryRunOptions) => {
      const added = await context.client(options).call('host.add', { name, dryRun: options.dryRun });
      context.printer(options).print(added, () => added.lines.join('\n'));
      if (added.password !== null && options.json !== true)
        process.stderr.write(`its password, for that file in its data directory, mode 0600: ${added.password}\n`);
    });
  common(host.command('list'))
    .description('all hosts that the directory knows')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions) => {
      const list = await context.client(options).call('host.list', {});
      context.printer(options).print(list, () =>
        columns(
          ['NAME', 'KIND', 'ADDRESSES', 'SERVICES'],
          list.map((row) => [
            row.name,
            row.kind,
            printable(row.addresses.join(' ')),
            printable(row.services.join(', ')),
          ]),
          'no hosts',
        ),
      );
    });
  common(host.command('remove'))
    .description('take a server away: it may neither follow nor hand on any more')
    .argument('<name>')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (name: string, options: DryRunOptions) => {
      const changed = await context.client(options).call('host.remove', { name, dryRun: options.dryRun });
      context.printer(options).print(changed, () => changedText(changed));
    });
  return host;
}
