// waypost queue hold: nothing works on rows until they are released.

import { Command } from 'commander';
import type { CommandContext } from '../../command.ts';
import { askAndChange, type ChosenOptions, choosing } from './chosen.ts';

export function holdCommand(context: CommandContext): Command {
  return choosing(new Command('hold'))
    .description('keep rows as they are until queue release')
    .action((ids: string[], options: ChosenOptions) =>
      askAndChange(context, {
        ids,
        options,
        done: 'held',
        would: 'would be held',
        run: (asked) => context.client(options).call('queue.hold', asked),
      }),
    );
}
