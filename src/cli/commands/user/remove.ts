// waypost user remove: a user goes, and the address is free.

import { Command } from 'commander';
import { type CommandContext, common, type DryRunOptions } from '../../command.ts';
import { changedText } from '../changed.ts';

export function userRemoveCommand(context: CommandContext): Command {
  return common(new Command('remove'))
    .description('take a user away; the address is free at once')
    .argument('<address>')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (address: string, options: DryRunOptions) => {
      const changed = await context.client(options).call('user.remove', { address, dryRun: options.dryRun });
      context.printer(options).print(changed, () => changedText(changed));
    });
}
