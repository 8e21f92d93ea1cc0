// waypost user move: another address; the mailbox stays.

import { Command } from 'commander';
import { type CommandContext, common, type DryRunOptions } from '../../command.ts';
import { changedText } from '../changed.ts';

export function userMoveCommand(context: CommandContext): Command {
  return common(new Command('move'))
    .description('another address, also in another domain; the mailbox stays')
    .argument('<address>')
    .argument('<new-address>')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (address: string, to: string, options: DryRunOptions) => {
      const changed = await context.client(options).call('user.move', { address, to, dryRun: options.dryRun });
      context.printer(options).print(changed, () => changedText(changed));
    });
}
