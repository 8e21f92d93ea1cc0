// waypost user add: a person with a mailbox.

import { Command } from 'commander';
import { type CommandContext, common, type DryRunOptions } from '../../command.ts';
import { readPassword } from '../../password.ts';
import { changedText } from '../changed.ts';

interface AddOptions extends DryRunOptions {
  readonly name?: string;
  readonly alias?: string[];
  readonly passwordStdin?: boolean;
}

export function userAddCommand(context: CommandContext): Command {
  return common(new Command('add'))
    .description('add a user: address, login and mailbox follow')
    .argument('<address>')
    .option('--name <name>', 'the full name')
    .option('--alias <address...>', 'further addresses')
    .option('--password-stdin', 'read the password from standard input')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (address: string, options: AddOptions) => {
      const { name, alias, dryRun } = options;
      const client = context.client(options);
      const password = dryRun === true ? undefined : await readPassword(address, options.passwordStdin === true);
      const changed = await client.call('user.add', { address, name, alias, password, dryRun });
      context.printer(options).print(changed, () => changedText(changed));
    });
}
