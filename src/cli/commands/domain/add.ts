// waypost domain add: its nodes, records and routes follow.

import { Command } from 'commander';
import { type CommandContext, common, type DryRunOptions } from '../../command.ts';
import { changedText } from '../changed.ts';

interface AddOptions extends DryRunOptions {
  readonly catchall?: string;
}

export function domainAddCommand(context: CommandContext): Command {
  return common(new Command('add'))
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
}
