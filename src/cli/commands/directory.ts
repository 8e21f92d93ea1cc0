// waypost directory diff FILE.ldif

import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import type { DirectoryDiff } from '../../admin/directory.ts';
import { EXIT } from '../../base/exit.ts';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { printable } from '../output.ts';

export function directoryCommand(context: CommandContext): Command {
  const directory = new Command('directory').description('the directory as a whole');
  common(directory.command('diff'))
    .description('what an LDIF file would do to routes and addresses; nothing is changed')
    .argument('<file>', 'LDIF; - for standard input')
    .option('--json', 'print JSON')
    .action(async (file: string, options: CommonOptions) => {
      const diff = await context.client(options).call('directory.diff', { ldif: textOf(file) });
      context.printer(options).print(diff, () => text(diff));
      if (diff.unroutable.length > 0) context.exit(EXIT.no);
    });
  return directory;
}

function textOf(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new CommanderError(EXIT.usage, 'waypost.file', error instanceof Error ? error.message : String(error));
  }
}

function text({ entries, routes, aliases, unroutable }: DirectoryDiff): string {
  const rows = (what: string, list: DirectoryDiff['routes']): string[] =>
    list.map(({ key, change }) => `${what} ${change.padEnd(8)} ${printable(key)}`);
  return [
    ...entries.map(({ change, dn }) => `entry   ${change.padEnd(8)} ${printable(dn)}`),
    ...rows('domain ', routes),
    ...rows('address', aliases),
    ...unroutable.map(({ address, reply }) => `gets no mail any more: ${printable(address)}  (${reply})`),
    `${entries.length} entries, ${routes.length} domains, ${aliases.length} addresses would change; ${unroutable.length} would get no mail any more`,
  ].join('\n');
}
