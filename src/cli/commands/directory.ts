// waypost directory: diff FILE.ldif, access --as DN --on DN, check; verbs with a file of their own below directory/

import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import type { DirectoryDiff } from '../../admin/directory.ts';
import type { DirectoryAccess, ShownRight } from '../../admin/directory-access.ts';
import { EXIT } from '../../base/exit.ts';
import { grouped } from '../../database/progress.ts';
import type { UnfitEntries } from '../../directory/unfit-entries.ts';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { unreadable } from '../input-file.ts';
import { columns, printable } from '../output.ts';
import { editCommand } from './directory/edit.ts';
import { exportCommand } from './directory/export.ts';
import { ldifImportCommand } from './directory/import.ts';
import { probeCommand } from './directory/probe.ts';
import { searchCommand, showEntryCommand } from './directory/search.ts';

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
  common(directory.command('access'))
    .description('what somebody may do with an entry, and the rules that decide')
    .requiredOption('--as <dn>', 'who: a DN, or anonymous')
    .requiredOption('--on <dn>', 'the entry')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions & { readonly as: string; readonly on: string }) => {
      const access = await context.client(options).call('directory.access', { as: options.as, on: options.on });
      context.printer(options).print(access, () => accessText(access));
    });
  common(directory.command('check'))
    .description('entries that do not fit the schema; exit code 1 where there are some')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions) => {
      const checked = await context.client(options).call('directory.check', {});
      context.printer(options).print(checked, () => checkText(checked));
      if (checked.unfit > 0) context.exit(EXIT.no);
    });
  for (const verb of [exportCommand, showEntryCommand, searchCommand, editCommand, ldifImportCommand, probeCommand])
    directory.addCommand(verb(context));
  return directory;
}

/** A line for the rights that one rule decides in one way. */
function accessText({ entry, attributes }: DirectoryAccess): string {
  const rows = [['entry', entry] as const, ...Object.entries(attributes)].flatMap(([name, rights]) => {
    const lines = new Map<string, { rights: string[]; of: ShownRight }>();
    for (const [right, of] of Object.entries(rights)) {
      const key = JSON.stringify(of);
      const line = lines.get(key);
      if (line === undefined) lines.set(key, { rights: [right], of });
      else line.rights.push(right);
    }
    return [...lines.values()].map(({ rights: words, of }) => [name, words.join(' '), wordOf(of), ruleOf(of)] as const);
  });
  return columns(['', '', '', ''], rows, '').trimStart();
}

function wordOf({ allowed, someValues }: ShownRight): string {
  return someValues === true ? 'some' : allowed ? 'yes' : 'no';
}

function ruleOf({ rule }: ShownRight): string {
  return rule === null ? '' : `"${rule.name}" at ${rule.dn}`;
}

function textOf(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    const failure = unreadable(file, error);
    throw failure.kind === 'denied' ? failure : new CommanderError(EXIT.usage, 'waypost.file', failure.message);
  }
}

function checkText({ entries, unfit, named }: UnfitEntries): string {
  const lines = named.flatMap(({ dn, problems }) => problems.map(({ reason }) => `${printable(dn)}  ${reason}`));
  return [
    ...lines,
    ...(unfit > named.length ? [`and ${grouped(unfit - named.length)} more entries`] : []),
    `${grouped(entries)} entries, ${grouped(unfit)} do not fit the schema`,
  ].join('\n');
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
