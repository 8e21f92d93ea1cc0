// waypost token add|list|remove

import { Command } from 'commander';
import type { TokenScope } from '../../directory/token.ts';
import { type CommandContext, type CommonOptions, common, type DryRunOptions } from '../command.ts';
import { columns } from '../output.ts';
import { changedText } from './changed.ts';

interface AddOptions extends DryRunOptions {
  /** As typed; the operation knows which there are. */
  readonly scope: string;
  readonly expires?: string;
}

export function tokenCommand(context: CommandContext): Command {
  const token = new Command('token').description('passwords for programs: application passwords and API tokens');
  common(token.command('add'))
    .description("print a new token, once; without an account it is the Directory Manager's")
    .argument('<account-or-name>', 'an address; without one the name')
    .argument('[name]', 'what the token is for: phone')
    .requiredOption('--scope <scopes>', 'what it opens: imap,pop,smtp,ldap, or api')
    .option('--expires <time>', 'from now on, as 90d; without it never')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (first: string, second: string | undefined, options: AddOptions) => {
      const { expires, dryRun } = options;
      const scopes = options.scope.split(',').map((scope) => scope.trim()) as TokenScope[];
      const input = { ...accountAndName(first, second), scopes, expires, dryRun };
      const added = await context.client(options).call('token.add', input);
      context.printer(options).print(added, () => {
        if (added.token !== null) return added.token;
        const until = added.expiresAt === null ? 'for ever' : `until ${added.expiresAt}`;
        return `would be added  the token ${added.name} of ${added.account} for ${added.scopes.join(', ')}, ${until}`;
      });
    });
  common(token.command('list'))
    .description('all tokens, or those of an account: what they open and until when')
    .argument('[account]', 'an address')
    .option('--json', 'print JSON')
    .action(async (account: string | undefined, options: CommonOptions) => {
      const list = await context.client(options).call('token.list', { account });
      context.printer(options).print(list, () =>
        columns(
          ['ACCOUNT', 'NAME', 'SCOPES', 'CREATED', 'EXPIRES'],
          list.map((each) => [each.account, each.name, each.scopes.join(','), each.createdAt, each.expiresAt ?? '-']),
          'no tokens yet: waypost token add ADDRESS NAME --scope imap,smtp',
        ),
      );
    });
  common(token.command('remove'))
    .description('take a token away; sessions that it has opened end')
    .argument('<account-or-name>', 'an address; without one the name')
    .argument('[name]', 'as in token list')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (first: string, second: string | undefined, options: DryRunOptions) => {
      const input = { ...accountAndName(first, second), dryRun: options.dryRun };
      const changed = await context.client(options).call('token.remove', input);
      context.printer(options).print(changed, () => changedText(changed));
    });
  return token;
}

/** One word is the name of a token of the Directory Manager's. */
function accountAndName(first: string, second: string | undefined): { account: string | undefined; name: string } {
  return second === undefined ? { account: undefined, name: first } : { account: first, name: second };
}
