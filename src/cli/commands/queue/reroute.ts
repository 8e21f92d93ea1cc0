// waypost queue reroute: where rows go is asked again, or said.

import { Command } from 'commander';
import type { CommandContext } from '../../command.ts';
import { askAndChange, type ChosenOptions, choosing } from './chosen.ts';

interface RerouteOptions extends ChosenOptions {
  readonly to?: string;
}

export function rerouteCommand(context: CommandContext): Command {
  return choosing(new Command('reroute'))
    .description('ask again where rows go; held ones are released by it')
    .option('--to <channel[:host]>', 'a channel to other hosts, and a host where the domain does not say')
    .action((ids: string[], options: RerouteOptions) => {
      const to = options.to === undefined ? {} : { to: options.to };
      return askAndChange(context, {
        ids,
        options,
        done: 'rerouted',
        would: 'would be rerouted',
        run: (asked) => context.client(options).call('queue.reroute', { ...asked, ...to }),
      });
    });
}
