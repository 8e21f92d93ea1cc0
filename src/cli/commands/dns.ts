// waypost dns records DOMAIN

import { Command, Option } from 'commander';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { columns } from '../output.ts';

interface RecordsOptions extends CommonOptions {
  readonly format: 'zone' | 'nsupdate' | 'table';
}

interface Shown {
  readonly zone: string | null;
  readonly records: readonly {
    readonly name: string;
    readonly ttl: number;
    readonly type: string;
    readonly data: string;
  }[];
  readonly problems: readonly string[];
  readonly text: string;
}

export function dnsCommand(context: CommandContext): Command {
  const dns = new Command('dns').description('records of domains');
  common(dns.command('records'))
    .description("what our name server answers for a domain, or what somebody else's should")
    .argument('<domain>')
    .addOption(
      new Option('--format <format>', 'lines of a zone file, commands of nsupdate, or a table')
        .choices(['zone', 'nsupdate', 'table'])
        .default('zone'),
    )
    .option('--json', 'print JSON')
    .action(async (domain: string, options: RecordsOptions) => {
      const shown = await context.client(options).call('dns.records', { domain });
      context.printer(options).print(shown, () => formats[options.format](shown));
    });
  return dns;
}

const formats: Readonly<Record<RecordsOptions['format'], (shown: Shown) => string>> = {
  zone: ({ text, problems }) => [...problems.map((problem) => `; ${problem}`), text.trimEnd()].join('\n'),
  /** What a primary takes: its own SOA and NS stay as they are. */
  nsupdate: ({ zone, records }) =>
    [
      ...(zone === null ? [] : [`zone ${zone}.`]),
      ...records
        .filter(({ type }) => type !== 'SOA' && type !== 'NS')
        .map(({ name, ttl, type, data }) => `update add ${name} ${ttl} ${type} ${data}`),
      'send',
    ].join('\n'),
  table: ({ records, problems }) =>
    [
      columns(
        ['NAME', 'TTL', 'TYPE', 'DATA'],
        records.map(({ name, ttl, type, data }) => [name, String(ttl), type, data]),
        'no records',
      ),
      ...problems,
    ].join('\n'),
};
