// waypost domain pending: domains that messages have named.

import { Command } from 'commander';
import type { JsonObject } from '../../../base/json.ts';
import { type CommandContext, type CommonOptions, common } from '../../command.ts';
import { columns } from '../../output.ts';

export function domainPendingCommand(context: CommandContext): Command {
  return common(new Command('pending'))
    .description('domains that messages have named, and that wait for your word')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions) => {
      const list = await context.client(options).call('domain.pending', {});
      context.printer(options).print(list, () =>
        columns(
          ['DOMAIN', 'ACTION', 'POLICY', 'FIRST SEEN', 'LAST SEEN', 'SEEN', 'MX'],
          list.map((each) => [
            each.domain,
            each.action,
            each.policy,
            each.firstSeen,
            each.lastSeen,
            String(each.seen),
            mxOf(each.evidence),
          ]),
          'no domain waits',
        ),
      );
    });
}

function mxOf({ mx }: JsonObject): string {
  return Array.isArray(mx) && mx.length > 0 ? mx.join(', ') : '-';
}
