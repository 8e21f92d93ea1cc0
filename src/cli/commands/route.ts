// waypost route ADDRESS [--service SERVICE] [--peer ADDRESS] [--with 'PATTERN TEMPLATE']

import { Command, Option } from 'commander';
import type { RouteExplanation } from '../../admin/route.ts';
import { EXIT } from '../../base/exit.ts';
import { SERVICE_WORDS } from '../../directory/access-rules.ts';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { facts } from '../output.ts';

interface RouteOptions extends CommonOptions {
  readonly service?: (typeof SERVICE_WORDS)[number];
  readonly peer?: string;
  readonly with?: string;
}

export function routeCommand(context: CommandContext): Command {
  return common(new Command('route'))
    .description('explain: every step from an address to its channel')
    .argument('<address>')
    .addOption(
      new Option('--service <service>', 'also whether its owner may log in to this, and why').choices(SERVICE_WORDS),
    )
    .option('--peer <address>', 'from which IP address; without it from this machine')
    .option('--with <rule>', "as if there were this rewrite rule, too: 'PATTERN TEMPLATE'")
    .option('--json', 'print JSON')
    .action(async (address: string, options: RouteOptions) => {
      const { service, peer } = options;
      const explanation = await context.client(options).call('route', { address, service, peer, with: options.with });
      context.printer(options).print(explanation, () => text(explanation));
      const isRefused = explanation.login !== undefined && explanation.login.result !== 'ok';
      if (explanation.targets.length === 0 || isRefused) context.exit(EXIT.no);
    });
}

function text({ address, steps, login }: RouteExplanation): string {
  // A list's members stand below it, those of a list in it below that.
  const lines = steps.map(({ step, detail, depth = 0 }) => [step, `${'  '.repeat(depth)}${detail}`] as const);
  if (login === undefined) return `${address}\n${facts(lines)}`;
  const verdict = login.result === 'ok' ? 'admitted' : 'refused';
  const said = `${verdict} to ${login.service} from ${login.peer}, ${login.by}`;
  return `${address}\n${facts([...lines, ['login', said]])}`;
}
