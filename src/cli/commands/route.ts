// waypost route ADDRESS [--from A] [--authenticated LOGIN] [--size N] [--door DOOR] [--at TIME | --revision N | --message ID]
// [--service SERVICE] [--peer ADDRESS] [--with 'PATTERN TEMPLATE']

import { Command, Option } from 'commander';
import type { MailboxQuota, RouteExplanation } from '../../admin/route.ts';
import { EXIT } from '../../base/exit.ts';
import { SERVICE_WORDS } from '../../directory/access-rules.ts';
import type { Door } from '../../routing/resolve.ts';
import { DOORS } from '../../routing/route-request.ts';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { facts } from '../output.ts';
import { wholeNumber } from '../whole-number.ts';

interface RouteOptions extends CommonOptions {
  readonly service?: (typeof SERVICE_WORDS)[number];
  readonly peer?: string;
  readonly with?: string;
  readonly from?: string;
  readonly authenticated?: string;
  readonly size?: number;
  readonly door?: Door;
  readonly revision?: number;
  readonly at?: string;
  readonly message?: string;
}

export function routeCommand(context: CommandContext): Command {
  return common(new Command('route'))
    .description('explain: every step from an address to its channel')
    .argument('<address>')
    .option('--from <address>', 'as a message from this sender; <> for none')
    .option('--authenticated <login>', 'as one whose sender has logged in so')
    .option('--size <bytes>', 'as one of this size', wholeNumber)
    .addOption(new Option('--door <door>', 'as one that comes in by this door').choices(DOORS))
    .addOption(
      new Option('--revision <number>', 'from the tables as they stood at this revision of the directory')
        .argParser(wholeNumber)
        .conflicts(['at', 'message']),
    )
    .addOption(
      new Option('--at <time>', 'from those of this time, such as 2026-11-24T09:09:23Z').conflicts([
        'revision',
        'message',
      ]),
    )
    .addOption(
      new Option('--message <id>', 'as this message was taken, by its queue id or its Message-ID').conflicts([
        'revision',
        'at',
      ]),
    )
    .addOption(
      new Option('--service <service>', 'also whether its owner may log in to this, and why').choices(SERVICE_WORDS),
    )
    .option('--peer <address>', 'from which IP address; without it from this machine')
    .option('--with <rule>', "as if there were this rewrite rule, too: 'PATTERN TEMPLATE'")
    .option('--json', 'print JSON')
    .action(async (address: string, options: RouteOptions) => {
      const { service, peer, from, authenticated, size, door, revision, at, message } = options;
      const question = { service, peer, from, authenticated, size, door, revision, at, message, with: options.with };
      const explanation = await context.client(options).call('route', { address, ...question });
      context.printer(options).print(explanation, () => text(explanation));
      const isRefused = explanation.login !== undefined && explanation.login.result !== 'ok';
      if (explanation.targets.length === 0 || isRefused) context.exit(EXIT.no);
    });
}

function text({ address, steps, login, quotas = [] }: RouteExplanation): string {
  // A list's members stand below it, those of a list in it below that.
  const lines = steps.map(
    ({ step, detail, depth = 0 }) => [step, `${'  '.repeat(depth)}${detail}`] as [string, string],
  );
  for (const quota of quotas) {
    lines.push(['quota', `${quota.recipient}: ${useText(quota)}`]);
    if (quota.domain !== undefined) lines.push(['quota', `domain ${quota.domain.name}: ${useText(quota.domain)}`]);
  }
  if (login === undefined) return `${address}\n${facts(lines)}`;
  const verdict = login.result === 'ok' ? 'admitted' : 'refused';
  const said = `${verdict} to ${login.service} from ${login.peer}, ${login.by}`;
  return `${address}\n${facts([...lines, ['login', said]])}`;
}

function useText({ octets, messages, used }: Pick<MailboxQuota, 'octets' | 'messages' | 'used'>): string {
  const of = (limit: number | undefined): string => (limit === undefined ? '' : ` of ${limit}`);
  return `${used.octets}${of(octets)} octets, ${used.messages}${of(messages)} messages`;
}
