// waypost group add|list|show|remove

import { Command } from 'commander';
import { type CommandContext, type CommonOptions, common, type DryRunOptions } from '../command.ts';
import { columns } from '../output.ts';
import { changedText } from './changed.ts';
import { entryText } from './entry-text.ts';

interface AddOptions extends DryRunOptions {
  readonly member?: string[];
}

export function groupCommand(context: CommandContext): Command {
  const group = new Command('group').description('distribution lists');
  common(group.command('add'))
    .description('add a distribution list')
    .argument('<address>')
    .option('--member <address...>', 'members: users, lists, or addresses elsewhere')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (address: string, options: AddOptions) => {
      const { member, dryRun } = options;
      const changed = await context.client(options).call('group.add', { address, member, dryRun });
      context.printer(options).print(changed, () => changedText(changed));
    });
  common(group.command('list'))
    .description('all lists, or those of a domain')
    .argument('[domain]')
    .option('--json', 'print JSON')
    .action(async (domain: string | undefined, options: CommonOptions) => {
      const list = await context.client(options).call('group.list', { domain });
      context.printer(options).print(list, () =>
        columns(
          ['ADDRESS', 'MEMBERS', 'STATUS'],
          list.map((each) => [each.address, String(each.members), each.status]),
          'no lists yet: waypost group add ADDRESS --member ADDRESS ...',
        ),
      );
    });
  common(group.command('show'))
    .description('one list with its entry')
    .argument('<address>')
    .option('--json', 'print JSON')
    .action(async (address: string, options: CommonOptions) => {
      const shown = await context.client(options).call('group.show', { address });
      context.printer(options).print(shown, () => entryText(shown.entry));
    });
  common(group.command('remove'))
    .description('take a list away')
    .argument('<address>')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (address: string, options: AddOptions) => {
      const changed = await context.client(options).call('group.remove', { address, dryRun: options.dryRun });
      context.printer(options).print(changed, () => changedText(changed));
    });
  return group;
}
