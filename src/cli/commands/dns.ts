// waypost dns records|check|publish DOMAIN

import { Command, Option } from 'commander';
import type { AdminOutput } from '../../admin/operations.ts';
import { EXIT } from '../../base/exit.ts';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { columns, printable } from '../output.ts';

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
  common(dns.command('check'))
    .description('what others see of a domain: its records, its delegation, its mail hosts; and what to do')
    .argument('<domain>')
    .option('--json', 'print JSON')
    .action(async (domain: string, options: CommonOptions) => {
      const checked = await context.client(options).call('dns.check', { domain });
      context.printer(options).print(checked, () => checkText(checked));
      if (checked.state !== 'ok') context.exit(checked.state === 'unknown' ? EXIT.tryAgain : EXIT.no);
    });
  common(dns.command('publish'))
    .description('write the records of a domain at its primary now; without a domain those of all that wait')
    .argument('[domain]')
    .option('--force', 'replace what others have written in their place')
    .option('--json', 'print JSON')
    .action(async (domain: string | undefined, options: PublishOptions) => {
      const tried = await context.client(options).call('dns.publish', { domain, force: options.force });
      context.printer(options).print(domain === undefined ? tried : tried[0]!, () => publishText(tried));
      const isIn = (...states: readonly string[]): boolean => tried.some(({ state }) => states.includes(state));
      if (isIn('refused')) context.exit(EXIT.no);
      else if (isIn('unreachable', 'waiting')) context.exit(EXIT.tryAgain);
    });
  return dns;
}

interface PublishOptions extends CommonOptions {
  readonly force?: boolean;
}

function publishText(tried: AdminOutput<'dns.publish'>): string {
  if (tried.length === 0) return 'no domain waits for a primary';
  const lines = tried.flatMap(({ domain, zone, server, state, error, conflicts }) => [
    state === 'served'
      ? `${domain}: our own name server answers, in zone ${zone}`
      : `${domain}: ${error ?? state}${server === null ? '' : `, at ${server}`}`,
    ...conflicts.map(
      ({ name, type, wanted, found }) =>
        `  left out: ${name} ${type} ${wanted.join(', ')}: others have written ${found.join(', ')}`,
    ),
    ...(conflicts.length > 0 ? [`  -> waypost dns publish ${domain} --force replaces what they have written`] : []),
  ]);
  return lines.map(printable).join('\n');
}

type Checked = AdminOutput<'dns.check'>;

/** One line a set, a server that sees it otherwise and what to do below it. */
function checkText({ domain, zone, authority, state, records, delegation, hosts }: Checked): string {
  const sets = records.flatMap((each) => [
    `${each.state.padEnd(9)}  ${each.name} ${each.type} ${each.wanted.join(', ')}`,
    ...each.servers
      .filter((server) => server.state !== 'ok')
      .map((server) => `           ${server.server}: ${server.state} ${server.found.join(', ')}`.trimEnd()),
    ...(each.state === 'ok' || each.hint === '' ? [] : [`           -> ${each.hint}`]),
  ]);
  const { parent, own } = delegation;
  const led = parent.length === 0 ? 'nowhere that could be seen' : parent.join(', ');
  return [
    `${domain}: ${state}; zone ${zone ?? 'not known'}, ${authority}`,
    ...sets,
    `${delegation.state.padEnd(9)}  delegation: the parent leads to ${led}; the zone says ${own.join(', ') || 'nothing'}`,
    ...(delegation.state === 'ok' ? [] : [`           -> ${delegationHint(delegation, zone)}`]),
    ...hosts.flatMap((host) => [
      `${host.state.padEnd(9)}  ${host.host} ${host.address ?? 'no address'}: ${host.smtp ?? 'no greeting'}; ` +
        `STARTTLS ${host.starttls === true ? 'yes' : 'no'}; PTR ${host.ptr ?? 'none'}`,
      ...(host.state === 'ok' ? [] : [`           -> ${hostHint(host)}`]),
    ]),
  ]
    .map(printable)
    .join('\n');
}

function delegationHint({ state, own }: Checked['delegation'], zone: string | null): string {
  if (state === 'unknown') return 'no server of the parent, or of the zone, could be asked: check again';
  return `have the parent lead ${zone} to ${own.join(', ')} and no others`;
}

function hostHint({ host, address, starttls, ptr, smtp, state }: Checked['hosts'][number]): string {
  if (address === null)
    return state === 'unknown' ? 'the resolver did not say: check again' : `give ${host} an address`;
  if (smtp === null || starttls === null)
    return `see that ${host} greets and takes mail at ${address}, and that a firewall lets you there`;
  if (!starttls) return `let ${host} offer STARTTLS`;
  if (ptr === null) return `have a PTR record of ${address} name ${host}`;
  return `see that ${ptr}, the name that ${address} says, has that address`;
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
