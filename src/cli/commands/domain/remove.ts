// waypost domain remove: a domain without people goes.

import { Command } from 'commander';
import { type CommandContext, common, type DryRunOptions } from '../../command.ts';
import { changedText } from '../changed.ts';

export function domainRemoveCommand(context: CommandContext): Command {
  return common(new Command('remove'))
    .description('take a mail domain away; it must have no users or groups')
    .argument('<name>')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (name: string, options: DryRunOptions) => {
      const changed = await context.client(options).call('domain.remove', { domain: name, dryRun: options.dryRun });
      context.printer(options).print(changed, () => changedText(changed));
    });
}
