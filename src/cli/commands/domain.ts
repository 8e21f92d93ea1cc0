// waypost domain add|list|show|remove

import { Command } from 'commander';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { columns } from '../output.ts';
import { changedText } from './changed.ts';
import { entryText } from './entry-text.ts';

interface AddOptions extends CommonOptions {
  readonly dryRun?: boolean;
  readonly catchall?: string;
}

export function domainCommand(context: CommandContext): Command {
  const domain = new Command('domain').description('mail domains');
  common(domain.command('add'))
    .description('define a mail domain: its nodes, records and routes follow')
    .argument('<name>')
    .option('--catchall <address>', 'who gets mail to addresses that no entry has')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (name: string, options: AddOptions) => {
      const { catchall, dryRun } = options;
      const changed = await context.client(options).call('domain.add', { domain: name, catchall, dryRun });
      context.printer(options).print(changed, () => changedText(changed));
    });
  common(domain.command('list'))
    .description('all mail domains')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions) => {
      const list = await context.client(options).call('domain.list', {});
      context.printer(options).print(list, () =>
        columns(
          ['DOMAIN', 'STATUS', 'CATCH-ALL', 'ALIAS OF'],
          list.map((each) => [each.domain, each.status, each.catchall ?? '-', each.aliasOf ?? '-']),
          'no mail domains yet: waypost domain add NAME',
        ),
      );
    });
  common(domain.command('show'))
    .description('one mail domain with its entry')
    .argument('<name>')
    .option('--json', 'print JSON')
    .action(async (name: string, options: CommonOptions) => {
      const shown = await context.client(options).call('domain.show', { domain: name });
      context.printer(options).print(shown, () => entryText(shown.entry));
    });
  common(domain.command('remove'))
    .description('take a mail domain away; it must have no users or groups')
    .argument('<name>')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (name: string, options: AddOptions) => {
      const changed = await context.client(options).call('domain.remove', { domain: name, dryRun: options.dryRun });
      context.printer(options).print(changed, () => changedText(changed));
    });
  return domain;
}
