// waypost mailbox readers

import { Command } from 'commander';
import { type CommandContext, type CommonOptions, common } from '../../command.ts';
import { columns } from '../../output.ts';

export function mailboxReadersCommand(context: CommandContext): Command {
  return common(new Command('readers'))
    .description('who reads a folder, and how far each has come')
    .argument('<address>', 'whose folder it is')
    .argument('<folder>', 'as its owner names it')
    .option('--json', 'print JSON')
    .action(async (address: string, folder: string, options: CommonOptions) => {
      const readers = await context.client(options).call('mailbox.readers', { address, folder });
      context.printer(options).print(readers, () =>
        columns(
          ['READER', 'RIGHTS', 'SEEN', 'UNSEEN', 'MODSEQ'],
          readers.map(({ reader, account, rights, seen, unseen, modseq }) => [
            reader ?? `account ${account}`,
            rights || 'none',
            ...[seen, unseen, modseq].map(String),
          ]),
          'nobody has read there yet',
        ),
      );
    });
}
