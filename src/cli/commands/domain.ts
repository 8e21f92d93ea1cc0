// waypost domain add|list|show|rename|remove|pending|approve|refuse|token

import { Command } from 'commander';
import type { AdminOutput } from '../../admin/operations.ts';
import type { JsonObject } from '../../base/json.ts';
import { grouped } from '../../database/progress.ts';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { columns, printable } from '../output.ts';
import { changedText } from './changed.ts';
import { entryText } from './entry-text.ts';

const EVENTS_SHOWN = 10;

interface AddOptions extends CommonOptions {
  readonly dryRun?: boolean;
  readonly catchall?: string;
}

export function domainCommand(context: CommandContext): Command {
  const domain = new Command('domain').description('mail domains');
  common(domain.command('add'))
    .description('define a mail domain: its nodes, records and routes follow')
    .argument('<name>')
    .option('--catchall <address>', 'who gets mail to addresses that no entry has')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (name: string, options: AddOptions) => {
      const { catchall, dryRun } = options;
      const changed = await context.client(options).call('domain.add', { domain: name, catchall, dryRun });
      context.printer(options).print(changed, () => changedText(changed));
    });
  common(domain.command('list'))
    .description('all mail domains')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions) => {
      const list = await context.client(options).call('domain.list', {});
      context.printer(options).print(list, () =>
        columns(
          ['DOMAIN', 'STATUS', 'CATCH-ALL', 'ALIAS OF'],
          list.map((each) => [each.domain, each.status, each.catchall ?? '-', each.aliasOf ?? '-']),
          'no mail domains yet: waypost domain add NAME',
        ),
      );
    });
  common(domain.command('show'))
    .description('one mail domain with its entry')
    .argument('<name>')
    .option('--json', 'print JSON')
    .action(async (name: string, options: CommonOptions) => {
      const shown = await context.client(options).call('domain.show', { domain: name });
      context.printer(options).print(shown, () => shownText(shown));
    });
  common(domain.command('rename'))
    .description('another name for a mail domain: both deliver, people get addresses of the new one')
    .argument('<name>')
    .argument('<new-name>')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (from: string, to: string, options: AddOptions) => {
      const client = context.client(options);
      if (options.dryRun === true) {
        const rehearsed = await client.call('domain.rename', { from, to, dryRun: true });
        context.printer(options).print(rehearsed, () => rehearsedText(rehearsed));
        return;
      }
      let renamed = await client.call('domain.rename', { from, to });
      const { stderr } = process;
      while (!renamed.done) {
        if (stderr.isTTY) stderr.write(`\r${grouped(renamed.entries)} users and lists renamed`);
        renamed = await client.call('domain.rename', { from, to });
      }
      if (stderr.isTTY) stderr.write('\r');
      context.printer(options).print(renamed, () => renamedText(renamed));
    });
  common(domain.command('remove'))
    .description('take a mail domain away; it must have no users or groups')
    .argument('<name>')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (name: string, options: AddOptions) => {
      const changed = await context.client(options).call('domain.remove', { domain: name, dryRun: options.dryRun });
      context.printer(options).print(changed, () => changedText(changed));
    });
  common(domain.command('pending'))
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
  decision(domain, context, 'approve', 'a domain that waits is ours: its next message is let in');
  decision(domain, context, 'refuse', 'a domain that waits is refused, and no message brings it again');
  common(domain.command('token'))
    .description('the TXT record by which who has a domain lets a policy take it')
    .argument('<policy>', 'its cn below ou=Policies')
    .argument('<name>')
    .option('--json', 'print JSON')
    .action(async (policy: string, name: string, options: CommonOptions) => {
      const token = await context.client(options).call('domain.token', { policy, domain: name });
      context.printer(options).print(token, () => token.record);
    });
  return domain;
}

function renamedText({ from, to, entries }: AdminOutput<'domain.rename'>): string {
  return `${grouped(entries)} users and lists have addresses in ${to}; ${from} delivers as before: waypost domain remove ${from} ends that`;
}

function rehearsedText(rehearsed: AdminOutput<'domain.rename'>): string {
  const { from, to, entries } = rehearsed;
  const kept = 'kept' in rehearsed ? rehearsed.kept : [];
  const others = kept.map((dn) => `\nkept as it is, since somebody else has its address in ${to}: ${dn}`).join('');
  return `a dry run: ${grouped(entries)} users and lists of ${from} would get addresses in ${to}${others}`;
}

function decision(domain: Command, context: CommandContext, verb: 'approve' | 'refuse', description: string): void {
  common(domain.command(verb))
    .description(description)
    .argument('<name>')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (name: string, options: AddOptions) => {
      const changed = await context.client(options).call(`domain.${verb}`, { domain: name, dryRun: options.dryRun });
      context.printer(options).print(changed, () => changedText(changed));
    });
}

function mxOf({ mx }: JsonObject): string {
  return Array.isArray(mx) && mx.length > 0 ? mx.join(', ') : '-';
}

/** The entry, then how it stands, as LDIF's comments. */
function shownText(shown: AdminOutput<'domain.show'>): string {
  const { entry, state, authority, zone, problems, history } = shown;
  return [
    entryText(entry),
    `# ${state}; zone ${zone ?? 'not known'}, ${authority}`,
    ...problems.map((problem) => `# ${printable(problem)}`),
    ...history.slice(0, EVENTS_SHOWN).map(({ at, revision, event }) => `# ${at}  revision ${revision}: ${event}`),
  ].join('\n');
}
