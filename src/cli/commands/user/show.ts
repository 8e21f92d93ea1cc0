// waypost user show: one user, and what becomes of the mail.

import { Command } from 'commander';
import { type CommandContext, type CommonOptions, common } from '../../command.ts';
import { printable } from '../../output.ts';
import { entryText } from '../entry-text.ts';

export function userShowCommand(context: CommandContext): Command {
  return common(new Command('show'))
    .description('one user with the entry')
    .argument('<address>')
    .option('--json', 'print JSON')
    .action(async (address: string, options: CommonOptions) => {
      const shown = await context.client(options).call('user.show', { address });
      const words = shown.delivery.map((line) => `# ${printable(line)}\n`).join('');
      context.printer(options).print(shown, () => `${words}${entryText(shown.entry)}`);
    });
}
