// waypost rule list|test

import { Command, Option } from 'commander';
import type { ListedRule, TestedRule } from '../../admin/rule.ts';
import { EXIT } from '../../base/exit.ts';
import { DOORS, type Door } from '../../routing/route-request.ts';
import type { AdminClient } from '../client.ts';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { columns, facts } from '../output.ts';

interface TestOptions extends CommonOptions {
  readonly with?: string;
  readonly door?: Door;
}

export function ruleCommand(context: CommandContext): Command {
  const rule = new Command('rule').description('rewrite rules: which addresses become which, and go where');
  common(rule.command('list'))
    .description('all that decides over an address, in the order in which it is asked')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions) => {
      const rules = await allRules(context.client(options));
      context.printer(options).print(rules, () =>
        columns(
          ['ORDER', 'PATTERN', 'TEMPLATE', 'SOURCE', 'NAME'],
          rules.map((each) => [
            each.order === null ? '-' : String(each.order),
            each.pattern,
            each.template,
            each.source,
            each.name,
          ]),
          '',
        ),
      );
    });
  common(rule.command('test'))
    .description('each pattern that an address is looked for under, and why a rule of it fails')
    .argument('<address>')
    .option('--with <rule>', "as if there were this rule, too: 'PATTERN TEMPLATE'")
    .addOption(new Option('--door <door>', 'for a message that comes in by this').choices(DOORS))
    .option('--json', 'print JSON')
    .action(async (address: string, options: TestOptions) => {
      const tested = await context
        .client(options)
        .call('rule.test', { address, with: options.with, door: options.door });
      context.printer(options).print(tested, () => testedText(tested));
      if (tested.channel === null) context.exit(EXIT.no);
    });
  return rule;
}

async function allRules(client: AdminClient): Promise<ListedRule[]> {
  const rules: ListedRule[] = [];
  let after: string | undefined;
  do {
    const page = await client.call('rule.list', { after });
    for (const rule of page.rules) rules.push(rule);
    after = page.next ?? undefined;
  } while (after !== undefined);
  return rules;
}

function testedText({ probes, address, channel, nexthop }: TestedRule): string {
  const rows = probes.map(({ pattern, rule, why }) => [pattern, rule ?? '-', why]);
  return [
    columns(['PATTERN', 'RULE', 'WHY'], rows, ''),
    '',
    facts([
      ['address', address],
      ['channel', channel ?? 'none'],
      ['next hop', nexthop ?? 'none'],
    ]),
  ].join('\n');
}
