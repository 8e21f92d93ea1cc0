// waypost directory show, search: entries as LDIF.
//
// Exit  1 where there is none

import { Command, Option } from 'commander';
import { EXIT } from '../../../base/exit.ts';
import { type CommandContext, type CommonOptions, common } from '../../command.ts';

interface SearchOptions extends CommonOptions {
  readonly attributes?: string;
  readonly passwords?: boolean;
  readonly base?: string;
  readonly scope?: 'base' | 'one' | 'sub';
}

export function showEntryCommand(context: CommandContext): Command {
  return options(new Command('show').argument('<dn>', 'its name'))
    .description('one entry as LDIF, with what the server says of it')
    .action(async (dn: string, given: SearchOptions) => {
      const attributes = attributesOf(given) ?? ['*', '+'];
      await print(context, given, { filter: '(objectClass=*)', base: dn, scope: 'base', attributes });
    });
}

export function searchCommand(context: CommandContext): Command {
  return options(new Command('search').argument('<filter>', 'as in RFC 4515: (mail=ann@acme.example)'))
    .description('entries that a filter finds, as LDIF')
    .option('--base <dn>', 'the entry below which it looks; without it the first suffix')
    .addOption(
      new Option('--scope <scope>', 'of the base: itself, those right below it, all').choices(['base', 'one', 'sub']),
    )
    .action(async (filter: string, given: SearchOptions) => {
      const { base, scope } = given;
      const attributes = attributesOf(given);
      await print(context, given, {
        filter: filter.startsWith('(') ? filter : `(${filter})`,
        ...(base === undefined ? {} : { base }),
        ...(scope === undefined ? {} : { scope }),
        ...(attributes === undefined ? {} : { attributes }),
      });
    });
}

function options(command: Command): Command {
  return common(command)
    .option('--attributes <names>', 'these alone, with commas between them; + for what the server makes')
    .option('--passwords', 'with password hashes');
}

function attributesOf({ attributes }: SearchOptions): string[] | undefined {
  return attributes?.split(',').map((name) => name.trim());
}

interface Asked {
  readonly filter: string;
  readonly base?: string;
  readonly scope?: 'base' | 'one' | 'sub';
  readonly attributes?: string[];
}

async function print(context: CommandContext, given: SearchOptions, asked: Asked): Promise<void> {
  const { passwords = false } = given;
  const { ldif, entries, isWhole } = await context.client(given).call('directory.search', { ...asked, passwords });
  if (entries === 0) context.exit(EXIT.no);
  context.printer({}).print(ldif, () => ldif.trimEnd());
  if (!isWhole) process.stderr.write(`waypost: these are the first ${entries}; there are more\n`);
}
