// waypost user add|list|show|move|set|suspend|remove

import { Command } from 'commander';
import { Failure } from '../../base/failure.ts';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { columns, printable } from '../output.ts';
import { readPassword } from '../password.ts';
import { readText } from '../text.ts';
import { changedText } from './changed.ts';
import { entryText } from './entry-text.ts';

interface SetOptions extends CommonOptions {
  readonly dryRun?: boolean;
  /** False: --no-forward. */
  readonly forward?: string[] | false;
  readonly vacationFrom?: string;
  readonly vacationUntil?: string;
  readonly vacationText?: string;
  /** False: --no-vacation. */
  readonly vacation?: boolean;
  readonly quota?: string;
  readonly messageQuota?: string;
}

interface SuspendOptions extends CommonOptions {
  readonly dryRun?: boolean;
  readonly undo?: boolean;
}

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
      const words = shown.delivery.map((line) => `# ${printable(line)}\n`).join('');
      context.printer(options).print(shown, () => `${words}${entryText(shown.entry)}`);
    });
  common(user.command('move'))
    .description('another address, also in another domain; the mailbox stays')
    .argument('<address>')
    .argument('<new-address>')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (address: string, to: string, options: AddOptions) => {
      const changed = await context.client(options).call('user.move', { address, to, dryRun: options.dryRun });
      context.printer(options).print(changed, () => changedText(changed));
    });
  common(user.command('set'))
    .description("what becomes of a user's mail; what is not named stays as it is")
    .argument('<address>')
    .option('--forward <address...>', 'mail goes on to these addresses')
    .option('--no-forward', 'mail goes on to nobody')
    .option('--vacation-from <day>', 'senders are answered from this day on, say 2026-12-20 (UTC), or from a time')
    .option('--vacation-until <day>', 'and up to the end of this day')
    .option('--vacation-text <text>', 'with this text; - reads it from standard input')
    .option('--no-vacation', 'senders are not answered')
    .option(
      '--quota <size>',
      'what the mailbox may hold: 2G, with K, M or G; 0 no mail, -1 no limit, -2 what the domain says',
    )
    .option(
      '--message-quota <number>',
      'how many messages it may hold; 0 no mail, -1 no limit, -2 what the domain says',
    )
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (address: string, options: SetOptions) => {
      const changed = await context.client(options).call('user.set', {
        address,
        dryRun: options.dryRun,
        forward: options.forward === false ? [] : options.forward,
        vacation: await vacationOf(options),
        quota: options.quota,
        messageQuota: options.messageQuota,
      });
      context.printer(options).print(changed, () => changedText(changed));
    });
  common(user.command('suspend'))
    .description('nothing more goes out from this user: sessions end, mail in the queue is held')
    .argument('<address>')
    .option('--undo', 'it goes on')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (address: string, { undo, dryRun, ...options }: SuspendOptions) => {
      const changed = await context.client(options).call('user.suspend', { address, undo, dryRun });
      context.printer(options).print(changed, () => changedText(changed));
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

async function vacationOf(options: SetOptions) {
  const { vacation, vacationFrom: from, vacationUntil: until, vacationText: text } = options;
  if ([from, until, text].every((each) => each === undefined)) return vacation === false ? vacation : undefined;
  if (vacation === false) throw new Failure('invalid', '--no-vacation with a vacation');
  return { from, until, text: text === '-' ? await readText() : text };
}
