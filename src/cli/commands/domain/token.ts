// waypost domain token: the TXT record by which who has a domain lets a policy take it.

import { Command } from 'commander';
import { type CommandContext, type CommonOptions, common } from '../../command.ts';

export function domainTokenCommand(context: CommandContext): Command {
  return common(new Command('token'))
    .description('the TXT record by which who has a domain lets a policy take it')
    .argument('<policy>', 'its cn below ou=Policies')
    .argument('<name>')
    .option('--json', 'print JSON')
    .action(async (policy: string, name: string, options: CommonOptions) => {
      const token = await context.client(options).call('domain.token', { policy, domain: name });
      context.printer(options).print(token, () => token.record);
    });
}
