// waypost queue release: held rows are due at once.

import { Command } from 'commander';
import type { CommandContext } from '../../command.ts';
import { askAndChange, type ChosenOptions, choosing } from './chosen.ts';

export function releaseCommand(context: CommandContext): Command {
  return choosing(new Command('release'))
    .description('let held rows go, whoever holds them: due at once, their time to expire begins anew')
    .action((ids: string[], options: ChosenOptions) =>
      askAndChange(context, {
        ids,
        options,
        done: 'released',
        would: 'would be released',
        run: (asked) => context.client(options).call('queue.release', asked),
      }),
    );
}
