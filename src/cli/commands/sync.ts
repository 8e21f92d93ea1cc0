// waypost sync status|verify|digest, sync --full, --domain DOMAIN, --from-dns ZONE@SERVER, --from-zone FILE, --source NAME --accept-removals

import { readFileSync, statSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import type { SyncStatus } from '../../admin/sync.ts';
import { EXIT } from '../../base/exit.ts';
import { Failure } from '../../base/failure.ts';
import { ZONE_FILE_BYTES } from '../../base/limits.ts';
import { grouped } from '../../database/progress.ts';
import type { MirrorStatus } from '../../provisioning/mirror/source-mirror.ts';
import type { ZoneOutcome } from '../../provisioning/zone-changes.ts';
import type { SourceStatus } from '../../provisioning/zone-sources.ts';
import type { Synchronized, Verification } from '../../routing/sync-runs.ts';
import type { AdminClient } from '../client.ts';
import { type CommandContext, type CommonOptions, common, type DryRunOptions } from '../command.ts';
import { unreadable } from '../input-file.ts';
import { facts, printable } from '../output.ts';
import { providerText } from './provider-text.ts';

interface SyncOptions extends DryRunOptions {
  readonly full?: boolean;
  readonly domain?: string;
  readonly fromDns?: string;
  readonly fromZone?: string;
  readonly zone?: string;
  readonly source?: string;
  readonly acceptRemovals?: boolean;
}

interface DigestOptions extends CommonOptions {
  readonly domain?: string;
  readonly rows?: boolean;
}

export function syncCommand(context: CommandContext): Command {
  const sync = common(new Command('sync'))
    // Both the command and its verbs have --data, --json and --domain.
    .enablePositionalOptions()
    .description('the routing and alias tables: compile them anew, prove them, compare them')
    .option('--full', 'compile all entries anew, beside the tables that answer')
    .option('--domain <domain>', 'compile one domain and its entries anew')
    .option(
      '--from-dns <zone@server>',
      'make domains of the names in a zone of another server whose mail is ours, and follow it',
    )
    .option('--from-zone <file>', 'the same of a master file, once')
    .option('--zone <zone>', 'the zone of that file, where it does not name itself')
    .option('--source <name>', 'a source of entries, with --accept-removals')
    .option('--accept-removals', 'what the source has lost goes here too, however much it is')
    .option('--dry-run', 'say what would be made, changed, removed and kept')
    .option('--json', 'print JSON')
    .action(async (options: SyncOptions) => {
      checkOptions(options);
      const client = context.client(options);
      const { domain, fromDns, fromZone } = options;
      if (fromDns !== undefined || fromZone !== undefined) {
        const outcome = await callZone(client, options);
        context.printer(options).print(outcome, () => outcomeText(outcome));
        return;
      }
      if (options.source !== undefined) {
        const accepted = await client.call('sync.source', { source: options.source, acceptRemovals: true });
        context
          .printer(options)
          .print(accepted, () => `${accepted.source}: read anew, and what is gone there goes here`);
        return;
      }
      const done =
        domain === undefined ? await client.call('sync.full', {}) : await client.call('sync.domain', { domain });
      context.printer(options).print(done, () => synchronizedText(done));
    });
  common(sync.command('status'))
    .description('what the tables hold, and what the compiler could not use')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions) => {
      const status = await context.client(options).call('sync.status', {});
      context.printer(options).print(status, () => text(status));
    });
  common(sync.command('verify'))
    .description('compile every row anew and compare; exit code 1 where one differs')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions) => {
      const verified = await context.client(options).call('sync.verify', {});
      context.printer(options).print(verified, () => verifiedText(verified));
      if (verified.differing > 0) context.exit(EXIT.no);
    });
  common(sync.command('digest'))
    .description('one number for the tables: the same on two hosts that have one directory')
    .option('--domain <domain>', 'of this domain alone')
    .option('--rows', 'the lines that it is made of')
    .option('--json', 'print JSON')
    .action(async (options: DigestOptions) => {
      const client = context.client(options);
      const { domain } = options;
      if (options.rows === true) {
        const printer = context.printer({ ...options, json: false });
        await printRows(client, domain, (lines) => printer.print(lines, () => lines.join('\n')));
        return;
      }
      const digest = await client.call('sync.digest', domain === undefined ? {} : { domain });
      context.printer(options).print(digest, () => digest.digest);
    });
  return sync;
}

function checkOptions({ full, domain, fromDns, fromZone, zone, dryRun, source, acceptRemovals }: SyncOptions): void {
  const others = [fromDns !== undefined, fromZone !== undefined, source !== undefined];
  const asked = [full === true, domain !== undefined, ...others];
  if (asked.filter((each) => each).length !== 1)
    throw usage('give --full, --domain, --from-dns, --from-zone or --source, or one of status, verify, digest');
  if ((source === undefined) !== (acceptRemovals !== true)) throw usage('--source goes with --accept-removals');
  if (zone !== undefined && fromZone === undefined) throw usage('--zone goes with --from-zone');
  if (dryRun === true && fromDns === undefined && fromZone === undefined)
    throw usage('--dry-run goes with --from-dns and --from-zone');
}

function usage(text: string): Error {
  return new CommanderError(EXIT.usage, 'waypost.sync', text);
}

async function callZone(client: AdminClient, options: SyncOptions): Promise<ZoneOutcome> {
  const dryRun = options.dryRun === true;
  if (options.fromZone !== undefined) {
    const { zone } = options;
    const text = readZoneFile(options.fromZone);
    return client.call('sync.from-zone', { text, dryRun, ...(zone === undefined ? {} : { zone }) });
  }
  const [zone = '', server, more] = options.fromDns!.split('@');
  if (server === undefined || more !== undefined)
    throw usage('--from-dns is corp.example@192.0.2.53, perhaps with :PORT');
  return client.call('sync.from-dns', { zone, server, dryRun });
}

/** A character an octet, as the octets of a name are escaped. */
function readZoneFile(path: string): string {
  try {
    if (statSync(path).size <= ZONE_FILE_BYTES) return readFileSync(path, 'latin1');
  } catch (error) {
    throw unreadable(path, error);
  }
  throw new Failure('too-large', `${path} has more than ${grouped(ZONE_FILE_BYTES)} octets: see --from-dns`);
}

async function printRows(
  client: AdminClient,
  domain: string | undefined,
  print: (lines: readonly string[]) => void,
): Promise<void> {
  for (let after = ''; ; ) {
    const lines = await client.call('sync.rows', domain === undefined ? { after } : { domain, after });
    if (lines.length === 0) return;
    print(lines);
    after = lines.at(-1)!;
  }
}

function synchronizedText({ generation, domains, addresses, differences, seconds }: Synchronized): string {
  const counts = `${grouped(domains)} domains, ${grouped(addresses)} addresses`;
  return `generation ${generation}: ${counts}, ${grouped(differences)} rows differ, ${seconds.toFixed(1)} s`;
}

function verifiedText({ rows, differing, differences }: Verification): string {
  const counts = `${grouped(rows)} rows compared, ${grouped(differing)} differ`;
  const named = differences.map(
    ({ table, key, is, should }) =>
      `${table} ${key}\n  is      ${JSON.stringify(is)}\n  should  ${JSON.stringify(should)}`,
  );
  return [counts, ...named].join('\n');
}

function outcomeText({ zone, dryRun, made, changed, removed, kept, domains }: ZoneOutcome): string {
  const named = domains.map(({ domain, change, route, why }) => {
    const more = why ?? (route === 'mx' ? 'to nearer hosts, by its MX' : '');
    return `${change.padEnd(8)}${domain}${more === '' ? '' : `  (${printable(more)})`}`;
  });
  const counts = [
    [made, 'made'],
    [changed, 'changed'],
    [removed, 'removed'],
    [kept, 'kept'],
  ]
    .map(([count, word]) => `${grouped(count as number)} ${word}`)
    .join(', ');
  const more = made + changed + removed + kept - domains.length;
  return [
    ...named,
    ...(more > 0 ? [`and ${grouped(more)} more`] : []),
    `${zone}: ${counts}${dryRun ? ' (a dry run: nothing was written)' : ''}`,
  ].join('\n');
}

function sourceText(source: SourceStatus | MirrorStatus): string {
  const { name, entries, state, lastError } = source;
  const error = lastError === null ? '' : `  (${printable(lastError)})`;
  if (source.kind === 'ldap') {
    const { by, hold, url, deletionLagMs, refused } = source;
    const lag = deletionLagMs === null ? '' : `, a deletion is at most ${Math.ceil(deletionLagMs / 1000)} s old`;
    const facts = `${hold} of ${url}${by === null ? '' : ` by ${by}`}, ${grouped(entries)} entries${lag}`;
    const left = refused.map(({ name: entry, reason }) => `  ${printable(entry)}  (${printable(reason)})`);
    return [`source ${name}: ${state}, ${facts}${error}`, ...left].join('\n');
  }
  return `source ${name}: ${state}, ${grouped(entries)} domains${error}`;
}

function text(status: SyncStatus): string {
  const problems = status.problems.flatMap(({ dn, problems: list }) =>
    list.map(({ attribute, value, reason }) => `${dn}  ${attribute}: ${value}  (${reason})`),
  );
  const { building, lastFull, lastVerify } = status;
  const proved =
    lastVerify === null
      ? '-'
      : `${lastVerify.at}, ${grouped(lastVerify.differences)} of ${grouped(lastVerify.rows)} rows differed`;
  return [
    facts([
      ['directory', `revision ${status.revision}`],
      ['tables', `revision ${status.tableRevision}, generation ${status.generation}`],
      ['last change', `revision ${status.changedRevision}`],
      ['domains', String(status.domains)],
      ['addresses', String(status.addresses)],
      ['building', building === null ? '-' : `${grouped(building.done)} of ${grouped(building.of)} entries`],
      ['last full', lastFull === null ? '-' : `${lastFull.at}, ${grouped(lastFull.differences)} rows differed`],
      ['last proof', proved],
      ['not usable', String(problems.length)],
      ['not fitting the schema', grouped(status.unfit)],
    ]),
    ...(status.provider === null ? [] : [`follows ${providerText(status.provider)}`]),
    ...status.sources.map(sourceText),
    ...problems,
  ].join('\n');
}
