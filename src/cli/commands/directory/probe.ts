// waypost directory probe NAME|FILE.ldif

import { existsSync, readFileSync } from 'node:fs';
import { Command } from 'commander';
import { EXIT } from '../../../base/exit.ts';
import { grouped } from '../../../database/progress.ts';
import type { ProbedUser, SourceProbe } from '../../../provisioning/mirror/probe.ts';
import { type CommandContext, type CommonOptions, common } from '../../command.ts';
import { unreadable } from '../../input-file.ts';
import { facts, printable } from '../../output.ts';

export function probeCommand(context: CommandContext): Command {
  return common(new Command('probe'))
    .description('what a source of entries brings, or would bring; nothing is saved; exit code 1 where it has no user')
    .argument('<source>', 'the name of a source, or an LDIF file with the record that would add it')
    .option('--json', 'print JSON')
    .action(async (source: string, options: CommonOptions) => {
      const isFile = source.includes('.') || source.includes('/') || existsSync(source);
      const asked = isFile ? { ldif: ldifIn(source) } : { source };
      const probe = await context.client(options).call('directory.probe', asked);
      context.printer(options).print(probe, () => text(probe));
      if (probe.users === 0) context.exit(EXIT.no);
    });
}

function ldifIn(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}

function text(probe: SourceProbe): string {
  const { url, server, by, entries, users, lists, isCut, unreadable, examples } = probe;
  const counted = `${grouped(entries)}${isCut ? ', and more' : ''}`;
  return [
    facts([
      ['server', `${server ?? 'unknown'} at ${url}`],
      ['followed by', by === 'syncrepl' ? 'syncrepl, each change at once' : 'polling'],
      ['entries', counted],
      ['users', grouped(users)],
      ['lists', grouped(lists)],
      ['cannot be read', unreadable.length === 0 ? '-' : unreadable.map(printable).join('; ')],
    ]),
    ...examples.map(userText),
  ].join('\n');
}

function userText({ dn, name, addresses, login, problems }: ProbedUser): string {
  const known = addresses.length === 0 ? 'no address in a domain of the source' : addresses.join(', ');
  const lines = [`${known}  ${name ?? ''}  (login ${login})`, dn, ...problems];
  return lines.map((line, i) => `${i === 0 ? '' : '  '}${printable(line)}`).join('\n');
}
