// waypost mailbox check

import { Command } from 'commander';
import { EXIT } from '../../base/exit.ts';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { columns } from '../output.ts';

interface CheckOptions extends CommonOptions {
  readonly bytes?: boolean;
}

export function mailboxCommand(context: CommandContext): Command {
  const mailbox = new Command('mailbox').description('the message store');
  common(mailbox.command('check'))
    .description('name every row of the store and the queue that is in no legal state')
    .option('--bytes', 'read every message, too')
    .option('--json', 'print JSON')
    .action(async (options: CheckOptions) => {
      const problems = await context.client(options).call('mailbox.check', { bytes: options.bytes });
      context.printer(options).print(problems, () =>
        columns(
          ['PROBLEM', 'WHERE', 'DETAIL'],
          problems.map(({ problem, where, detail }) => [problem, where, detail]),
          'no problems: the store and the queue are in legal states',
        ),
      );
      if (problems.length > 0) context.exit(EXIT.no);
    });
  return mailbox;
}
