// waypost route ADDRESS

import { Command } from 'commander';
import { EXIT } from '../../base/exit.ts';
import type { Explanation } from '../../routing/explain.ts';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { facts } from '../output.ts';

export function routeCommand(context: CommandContext): Command {
  return common(new Command('route'))
    .description('explain: every step from an address to its channel')
    .argument('<address>')
    .option('--json', 'print JSON')
    .action(async (address: string, options: CommonOptions) => {
      const explanation = await context.client(options).call('route', { address });
      context.printer(options).print(explanation, () => text(explanation));
      if (explanation.targets.length === 0) context.exit(EXIT.no);
    });
}

function text(explanation: Explanation): string {
  const steps = explanation.steps.map(({ step, detail }) => [step, detail] as const);
  return `${explanation.address}\n${facts(steps)}`;
}
