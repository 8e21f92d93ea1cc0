// waypost audit list

import { Command, InvalidArgumentError } from 'commander';
import type { AuditLine } from '../../audit/line.ts';
import type { AuditPosition } from '../../audit/read.ts';
import type { AdminClient } from '../client.ts';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { columns } from '../output.ts';

interface ListOptions extends CommonOptions {
  readonly account?: string;
  readonly peer?: string;
  /** ISO 8601. */
  readonly since?: string;
}

export function auditCommand(context: CommandContext): Command {
  const audit = new Command('audit').description('who logged in or tried to, and who changed what');
  common(audit.command('list'))
    .description('what is kept, the oldest first')
    .option('--account <name>', 'of one account: an address, a login as it was written, or a DN')
    .option('--peer <address>', 'from one address')
    .option('--since <time>', 'from then on: 2026-11-26T12:00:00Z, 2026-11-26, or 30m, 12h, 7d ago', sinceOf)
    .option('--json', 'print JSON')
    .action(async (options: ListOptions) => {
      const lines = await allLines(context.client(options), options);
      context.printer(options).print(lines, () =>
        columns(
          ['AT', 'EVENT', 'DOOR', 'PEER', 'WHO', 'WHAT', 'RESULT'],
          lines.map((line) => [
            line.at,
            line.event,
            line.door ?? '-',
            line.peer ?? '-',
            line.login ?? line.caller ?? '-',
            whatOf(line),
            line.result,
          ]),
          'nothing of that is kept',
        ),
      );
    });
  return audit;
}

function whatOf({ event, mechanism, account, target }: AuditLine): string {
  return (event === 'login' ? [mechanism, account] : [target]).filter((word) => word !== undefined).join(' ') || '-';
}

async function allLines(client: AdminClient, { account, peer, since }: ListOptions): Promise<AuditLine[]> {
  const lines: AuditLine[] = [];
  let after: AuditPosition | undefined;
  do {
    const page = await client.call('audit.list', { account, peer, since, after });
    for (const line of page.lines) lines.push(line);
    after = page.next ?? undefined;
  } while (after !== undefined);
  return lines;
}

const UNITS_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function sinceOf(text: string): string {
  const ago = /^(\d{1,6})([smhd])$/.exec(text);
  const at = ago === null ? Date.parse(text) : Date.now() - Number(ago[1]) * UNITS_MS[ago[2]!]!;
  if (Number.isNaN(at)) throw new InvalidArgumentError('A time such as 2026-11-26T12:00:00Z, or 12h, is meant.');
  return new Date(at).toISOString();
}
