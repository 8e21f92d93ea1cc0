// waypost user list: who has a mailbox.

import { Command } from 'commander';
import { type CommandContext, type CommonOptions, common } from '../../command.ts';
import { columns } from '../../output.ts';

export function userListCommand(context: CommandContext): Command {
  return common(new Command('list'))
    .description('all users, or those of a domain')
    .argument('[domain]')
    .option('--json', 'print JSON')
    .action(async (domain: string | undefined, options: CommonOptions) => {
      const list = await context.client(options).call('user.list', { domain });
      context.printer(options).print(list, () =>
        columns(
          ['ADDRESS', 'NAME', 'STATUS'],
          list.map((each) => [each.address, each.name, each.status]),
          'no users yet: waypost user add ADDRESS',
        ),
      );
    });
}
