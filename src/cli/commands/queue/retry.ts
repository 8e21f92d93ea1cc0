// waypost queue retry: rows are tried at once.

import { Command } from 'commander';
import type { CommandContext } from '../../command.ts';
import { askAndChange, type ChosenOptions, choosing } from './chosen.ts';

export function retryCommand(context: CommandContext): Command {
  return choosing(new Command('retry'))
    .description('try rows at once, whenever they would have been due')
    .option('--all', 'all rows')
    .action((ids: string[], options: ChosenOptions) => {
      const all = options.all === true ? { all: true } : {};
      return askAndChange(context, {
        ids,
        options,
        done: 'due now',
        would: 'would be due now',
        run: (asked) => context.client(options).call('queue.retry', { ...asked, ...all }),
      });
    });
}
