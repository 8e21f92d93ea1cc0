// waypost status

import { Command } from 'commander';
import type { ServerStatus } from '../../admin/status.ts';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { facts } from '../output.ts';
import { providerText } from './provider-text.ts';

export function statusCommand(context: CommandContext): Command {
  return common(new Command('status'))
    .description('what runs, since when, on which ports, how far behind the directory')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions) => {
      const status = await context.client(options).call('status', {});
      context
        .printer(options)
        .print(status, () =>
          facts([
            ['version', status.version],
            ['store', `format ${status.format}`],
            ['host name', status.hostname],
            ['started', status.startedAt],
            ['directory', `revision ${status.revision}, generation ${status.generation}`],
            ['queued', String(status.queued)],
            ['SCRAM', scramText(status.scram)],
            ['publishing', publishingText(status.publishing)],
            ...(status.provider === null ? [] : [['follows', providerText(status.provider)] as const]),
            ...status.followers.map(({ hostname, since }) => ['followed by', `${hostname} since ${since}`] as const),
            ...Object.entries(status.listeners),
            ...status.problems.map((problem) => ['problem', problem] as const),
          ]),
        );
    });
}

function scramText({ offered, without }: ServerStatus['scram']): string {
  return `${offered ? 'offered' : 'not offered'}, users whose password has no keys: ${without}`;
}

function publishingText({ waiting, oldest, conflicts }: ServerStatus['publishing']): string {
  if (waiting === 0) return `nothing waits, ${conflicts} conflicts`;
  return `${waiting} domains wait, the oldest for ${oldest} s, ${conflicts} conflicts`;
}
