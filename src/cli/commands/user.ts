// waypost user add|list|show|remove

import { Command } from 'commander';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { columns } from '../output.ts';
import { readPassword } from '../password.ts';
import { changedText } from './changed.ts';
import { entryText } from './entry-text.ts';

interface AddOptions extends CommonOptions {
  readonly dryRun?: boolean;
  readonly name?: string;
  readonly alias?: string[];
  readonly passwordStdin?: boolean;
}

export function userCommand(context: CommandContext): Command {
  const user = new Command('user').description('people with a mailbox');
  common(user.command('add'))
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
  common(user.command('list'))
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
  common(user.command('show'))
    .description('one user with the entry')
    .argument('<address>')
    .option('--json', 'print JSON')
    .action(async (address: string, options: CommonOptions) => {
      const shown = await context.client(options).call('user.show', { address });
      context.printer(options).print(shown, () => entryText(shown.entry));
    });
  common(user.command('remove'))
    .description('take a user away; the address is free at once')
    .argument('<address>')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (address: string, options: AddOptions) => {
      const changed = await context.client(options).call('user.remove', { address, dryRun: options.dryRun });
      context.printer(options).print(changed, () => changedText(changed));
    });
  return user;
}
