// waypost domain rename: another name; both deliver. Long ones go on call by call.

import { Command } from 'commander';
import type { AdminOutput } from '../../../admin/operations.ts';
import { grouped } from '../../../database/progress.ts';
import { type CommandContext, common, type DryRunOptions } from '../../command.ts';

export function domainRenameCommand(context: CommandContext): Command {
  return common(new Command('rename'))
    .description('another name for a mail domain: both deliver, people get addresses of the new one')
    .argument('<name>')
    .argument('<new-name>')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (from: string, to: string, options: DryRunOptions) => {
      const client = context.client(options);
      if (options.dryRun === true) {
        const rehearsed = await client.call('domain.rename', { from, to, dryRun: true });
        context.printer(options).print(rehearsed, () => rehearsedText(rehearsed));
        return;
      }
      let renamed = await client.call('domain.rename', { from, to });
      const { stderr } = process;
      while (!renamed.done) {
        if (stderr.isTTY) stderr.write(`\r${grouped(renamed.entries)} users and lists renamed`);
        renamed = await client.call('domain.rename', { from, to });
      }
      if (stderr.isTTY) stderr.write('\r');
      context.printer(options).print(renamed, () => renamedText(renamed));
    });
}

function renamedText({ from, to, entries }: AdminOutput<'domain.rename'>): string {
  return `${grouped(entries)} users and lists have addresses in ${to}; ${from} delivers as before: waypost domain remove ${from} ends that`;
}

function rehearsedText(rehearsed: AdminOutput<'domain.rename'>): string {
  const { from, to, entries } = rehearsed;
  const kept = 'kept' in rehearsed ? rehearsed.kept : [];
  const others = kept.map((dn) => `\nkept as it is, since somebody else has its address in ${to}: ${dn}`).join('');
  return `a dry run: ${grouped(entries)} users and lists of ${from} would get addresses in ${to}${others}`;
}
