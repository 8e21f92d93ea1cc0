// What is said about a domain that waits: the verbs approve and refuse.

import { Command } from 'commander';
import { type CommandContext, common, type DryRunOptions } from '../../command.ts';
import { changedText } from '../changed.ts';

export function decision(context: CommandContext, verb: 'approve' | 'refuse', description: string): Command {
  return common(new Command(verb))
    .description(description)
    .argument('<name>')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (name: string, options: DryRunOptions) => {
      const changed = await context.client(options).call(`domain.${verb}`, { domain: name, dryRun: options.dryRun });
      context.printer(options).print(changed, () => changedText(changed));
    });
}
