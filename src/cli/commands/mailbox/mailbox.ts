// waypost mailbox check, repair, expire, acl, readers

import { Command } from 'commander';
import { EXIT } from '../../../base/exit.ts';
import { type CommandContext, type CommonOptions, common, type DryRunOptions } from '../../command.ts';
import { columns } from '../../output.ts';
import { mailboxAclCommand } from './acl.ts';
import { mailboxReadersCommand } from './readers.ts';

interface CheckOptions extends CommonOptions {
  readonly account?: string;
  readonly bytes?: boolean;
}

/** Of check and repair. */
function checking(command: Command): Command {
  return common(command)
    .option('--account <account>', 'what is of this account only: an address, or its number')
    .option('--bytes', 'read every message, too')
    .option('--json', 'print JSON');
}

export function mailboxCommand(context: CommandContext): Command {
  const mailbox = new Command('mailbox').description('the message store');
  checking(mailbox.command('check'))
    .description('name every row of the store and the queue that is in no legal state')
    .action(async (options: CheckOptions) => {
      const { account, bytes } = options;
      const problems = await context.client(options).call('mailbox.check', { account, bytes });
      context.printer(options).print(problems, () =>
        columns(
          ['PROBLEM', 'WHERE', 'DETAIL'],
          problems.map(({ problem, where, detail }) => [problem, where, detail]),
          'no problems: the store and the queue are in legal states',
        ),
      );
      if (problems.length > 0) context.exit(EXIT.no);
    });
  checking(mailbox.command('repair'))
    .description('set right what check names, where that loses nothing, and name what is gone')
    .action(async (options: CheckOptions) => {
      const { account, bytes } = options;
      const all = await context.client(options).call('mailbox.repair', { account, bytes });
      context.printer(options).print(all, () =>
        columns(
          ['RESULT', 'PROBLEM', 'WHERE', 'DETAIL'],
          all.map(({ result, problem, where, detail }) => [result, problem, where, detail]),
          'nothing to repair: the store and the queue are in legal states',
        ),
      );
      if (all.some(({ result }) => result !== 'repaired')) context.exit(EXIT.no);
    });
  common(mailbox.command('expire'))
    .description('take away what the rules of expiry say, as the server does each hour')
    .argument('[address]', 'of this account only')
    .option('--dry-run', 'say what would go, and take nothing away')
    .option('--json', 'print JSON')
    .action(async (address: string | undefined, options: DryRunOptions) => {
      const { dryRun } = options;
      const { expired, others } = await context.client(options).call('mailbox.expire', { address, dryRun });
      context.printer(options).print(expired, () => {
        const rows = expired.map(({ account, mailbox: folder, messages, bytes }) => [account, folder, messages, bytes]);
        const list = columns(
          ['ACCOUNT', 'MAILBOX', 'MESSAGES', 'BYTES'],
          rows.map((row) => row.map(String)),
          'nothing is old enough',
        );
        return others === 0 ? list : `${list}\nand ${others} more folders`;
      });
    });
  mailbox.addCommand(mailboxAclCommand(context));
  mailbox.addCommand(mailboxReadersCommand(context));
  return mailbox;
}
