// waypost queue remove: rows go.

import { Command } from 'commander';
import type { CommandContext } from '../../command.ts';
import { askAndChange, type ChosenOptions, choosing } from './chosen.ts';

interface RemoveOptions extends ChosenOptions {
  readonly report?: boolean;
}

export function removeCommand(context: CommandContext): Command {
  return choosing(new Command('remove'))
    .description('take rows away; nobody is told')
    .option('--report', 'tell the senders: the rows fail with 5.7.1')
    .action((ids: string[], options: RemoveOptions) => {
      const report = options.report === true ? { report: true } : {};
      return askAndChange(context, {
        ids,
        options,
        done: 'removed',
        would: 'would be removed',
        run: (asked) => context.client(options).call('queue.remove', { ...asked, ...report }),
      });
    });
}
