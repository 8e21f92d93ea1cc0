// waypost trace MESSAGE-ID|QUEUE-ID|ADDRESS

import { Command } from 'commander';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { columns } from '../output.ts';

export function traceCommand(context: CommandContext): Command {
  return common(new Command('trace'))
    .description("a message's journey")
    .argument('<what>', 'a Message-ID, a queue id, or the address of a recipient')
    .option('--json', 'print JSON')
    .action(async (what: string, options: CommonOptions) => {
      const events = await context.client(options).call('trace', { what });
      context.printer(options).print(events, () =>
        columns(
          ['AT', 'QUEUE ID', 'EVENT', 'RECIPIENT', 'STATUS'],
          events.map((event) => [event.at, event.queueId, event.event, event.recipient, event.status]),
          '',
        ),
      );
    });
}
