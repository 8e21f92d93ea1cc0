// waypost queue remove: rows go.

import { Command } from 'commander';
import type { CommandContext } from '../../command.ts';
import { askAndChange, type ChosenOptions, choosing } from './chosen.ts';

export function removeCommand(context: CommandContext): Command {
  return choosing(new Command('remove'))
    .description('take rows away; no report is made')
    .action((ids: string[], options: ChosenOptions) =>
      askAndChange(context, {
        ids,
        options,
        done: 'removed',
        would: 'would be removed',
        run: (asked) => context.client(options).call('queue.remove', asked),
      }),
    );
}
