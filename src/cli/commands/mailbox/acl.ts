// waypost mailbox acl show, set, remove

import { Command } from 'commander';
import type { AclChanged } from '../../../admin/mailbox-acl.ts';
import { type CommandContext, type CommonOptions, common, type DryRunOptions } from '../../command.ts';
import { columns, printable } from '../../output.ts';

const FOLDER = 'as its owner names it';
const IDENTIFIER = 'an address of a user or of a list, or anyone; behind --, with - before it: what is taken away';

export function mailboxAclCommand(context: CommandContext): Command {
  const acl = new Command('acl').description('who else may do what in a folder');
  common(acl.command('show'))
    .description('the lines of a folder: who has which rights there')
    .argument('<address>', 'whose folder it is')
    .argument('<folder>', FOLDER)
    .option('--json', 'print JSON')
    .action(async (address: string, folder: string, options: CommonOptions) => {
      const lines = await context.client(options).call('mailbox.acl.show', { address, folder });
      context.printer(options).print(lines, () =>
        columns(
          ['IDENTIFIER', 'RIGHTS'],
          lines.map(({ identifier, rights }) => [identifier ?? '-', rights]),
          'nobody has rights there',
        ),
      );
    });
  changing(acl.command('set'))
    .description('give somebody rights in a folder')
    .argument(
      '<rights>',
      'letters of lrswipkxtea; with + before them they are added, behind -- with - taken from the line',
    )
    .action(async (address: string, folder: string, identifier: string, rights: string, options: DryRunOptions) => {
      const { dryRun } = options;
      const input = { address, folder, identifier, rights, dryRun };
      const changed = await context.client(options).call('mailbox.acl.set', input);
      context.printer(options).print(changed, () => changedText(identifier, changed));
    });
  changing(acl.command('remove'))
    .description('take the line of somebody away')
    .action(async (address: string, folder: string, identifier: string, options: DryRunOptions) => {
      const { dryRun } = options;
      const changed = await context.client(options).call('mailbox.acl.remove', { address, folder, identifier, dryRun });
      context.printer(options).print(changed, () => changedText(identifier, changed));
    });
  return acl;
}

function changing(command: Command): Command {
  return common(command)
    .argument('<address>', 'whose folder it is')
    .argument('<folder>', FOLDER)
    .argument('<identifier>', IDENTIFIER)
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON');
}

function changedText(asked: string, { identifier, before, rights, dryRun }: AclChanged): string {
  const [from, to] = [before, rights].map((letters) => letters || 'none');
  return `${dryRun ? 'would be changed' : 'changed'}  ${printable(identifier ?? asked)}: ${from} -> ${to}`;
}
