// waypost channel list|show|pause|resume

import { Command } from 'commander';
import { type CommandContext, type CommonOptions, common, type DryRunOptions } from '../command.ts';
import { columns, facts, printable } from '../output.ts';
import { changedText } from './changed.ts';

export function channelCommand(context: CommandContext): Command {
  const channel = new Command('channel').description('the ways out of the queue');
  common(channel.command('list'))
    .description('all channels, and what waits for each')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions) => {
      const list = await context.client(options).call('channel.list', {});
      context.printer(options).print(list, () =>
        columns(
          ['NAME', 'KIND', 'SOURCE', 'STATE', 'QUEUED', 'ACTIVE', 'OLDEST', 'KEYWORDS'],
          list.map((row) => [
            row.name,
            row.kind,
            row.source,
            row.paused ? 'paused' : 'running',
            String(row.queued),
            String(row.active),
            row.oldest ?? '-',
            row.keywords.length === 0 ? '-' : row.keywords.join('; '),
          ]),
          'no channels',
        ),
      );
    });
  common(channel.command('show'))
    .description('one channel')
    .argument('<name>')
    .option('--json', 'print JSON')
    .action(async (name: string, options: CommonOptions) => {
      const row = await context.client(options).call('channel.show', { name });
      const problems = row.problems.map(({ attribute, value, reason }) => `${attribute}: ${value} (${reason})`);
      context
        .printer(options)
        .print(row, () =>
          facts([
            ['name', row.name],
            ['kind', row.kind],
            ['entry', printable(row.dn ?? '-')],
            ['state', row.paused ? 'paused' : 'running'],
            ['queued', String(row.queued)],
            ['active', String(row.active)],
            ['oldest', row.oldest ?? '-'],
            ...row.keywords.map((keyword) => ['keyword', printable(keyword)] as const),
            ...problems.map((problem) => ['not usable', printable(problem)] as const),
          ]),
        );
    });
  for (const [verb, meaning] of [
    ['pause', 'nothing leaves its queue from now on; what is under way ends'],
    ['resume', 'what has waited goes on'],
  ] as const)
    common(channel.command(verb))
      .description(meaning)
      .argument('<name>')
      .option('--dry-run', 'say what would happen, and change nothing')
      .option('--json', 'print JSON')
      .action(async (name: string, options: DryRunOptions) => {
        const changed = await context.client(options).call(`channel.${verb}`, { name, dryRun: options.dryRun });
        context.printer(options).print(changed, () => changedText(changed));
      });
  return channel;
}
