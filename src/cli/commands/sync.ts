// waypost sync status|verify|digest, sync --full, sync --domain DOMAIN

import { Command, CommanderError } from 'commander';
import type { SyncStatus } from '../../admin/sync.ts';
import { EXIT } from '../../base/exit.ts';
import { grouped } from '../../database/progress.ts';
import type { Synchronized, Verification } from '../../routing/sync-runs.ts';
import type { AdminClient } from '../client.ts';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { facts } from '../output.ts';

interface SyncOptions extends CommonOptions {
  readonly full?: boolean;
  readonly domain?: string;
}

interface DigestOptions extends CommonOptions {
  readonly domain?: string;
  readonly rows?: boolean;
}

export function syncCommand(context: CommandContext): Command {
  const sync = common(new Command('sync'))
    .description('the routing and alias tables: compile them anew, prove them, compare them')
    .option('--full', 'compile all entries anew, beside the tables that answer')
    .option('--domain <domain>', 'compile one domain and its entries anew')
    .option('--json', 'print JSON')
    .action(async (options: SyncOptions) => {
      const { full, domain } = options;
      if ((full === true) === (domain !== undefined))
        throw new CommanderError(
          EXIT.usage,
          'waypost.sync',
          'give --full, or --domain, or one of status, verify, digest',
        );
      const client = context.client(options);
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
    ]),
    ...problems,
  ].join('\n');
}
