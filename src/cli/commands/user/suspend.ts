// waypost user suspend: nothing more goes out from a user.

import { Command } from 'commander';
import { type CommandContext, common, type DryRunOptions } from '../../command.ts';
import { changedText } from '../changed.ts';

interface SuspendOptions extends DryRunOptions {
  readonly undo?: boolean;
}

export function userSuspendCommand(context: CommandContext): Command {
  return common(new Command('suspend'))
    .description('nothing more goes out from this user: sessions end, mail in the queue is held')
    .argument('<address>')
    .option('--undo', 'it goes on')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (address: string, { undo, dryRun, ...options }: SuspendOptions) => {
      const changed = await context.client(options).call('user.suspend', { address, undo, dryRun });
      context.printer(options).print(changed, () => changedText(changed));
    });
}
