// waypost domain show: one mail domain, and how it stands.

import { Command } from 'commander';
import type { AdminOutput } from '../../../admin/operations.ts';
import { type CommandContext, type CommonOptions, common } from '../../command.ts';
import { printable } from '../../output.ts';
import { entryText } from '../entry-text.ts';

const EVENTS_SHOWN = 10;

export function domainShowCommand(context: CommandContext): Command {
  return common(new Command('show'))
    .description('one mail domain with its entry')
    .argument('<name>')
    .option('--json', 'print JSON')
    .action(async (name: string, options: CommonOptions) => {
      const shown = await context.client(options).call('domain.show', { domain: name });
      context.printer(options).print(shown, () => shownText(shown));
    });
}

/** The entry, then how it stands, as LDIF's comments. */
function shownText(shown: AdminOutput<'domain.show'>): string {
  const { entry, state, authority, zone, problems, history } = shown;
  return [
    entryText(entry),
    `# ${state}; zone ${zone ?? 'not known'}, ${authority}`,
    ...problems.map((problem) => `# ${printable(problem)}`),
    ...history.slice(0, EVENTS_SHOWN).map(({ at, revision, event }) => `# ${at}  revision ${revision}: ${event}`),
  ].join('\n');
}
