// waypost domain list: all mail domains.

import { Command } from 'commander';
import { type CommandContext, type CommonOptions, common } from '../../command.ts';
import { columns } from '../../output.ts';

export function domainListCommand(context: CommandContext): Command {
  return common(new Command('list'))
    .description('all mail domains')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions) => {
      const list = await context.client(options).call('domain.list', {});
      context.printer(options).print(list, () =>
        columns(
          ['DOMAIN', 'STATUS', 'CATCH-ALL', 'ALIAS OF'],
          list.map((each) => [each.domain, each.status, each.catchall ?? '-', each.aliasOf ?? '-']),
          'no mail domains yet: waypost domain add NAME',
        ),
      );
    });
}
