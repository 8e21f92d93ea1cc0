// waypost dkim list|rotate|import

import { Command } from 'commander';
import { Failure } from '../../base/failure.ts';
import { type CommandContext, type CommonOptions, common, type DryRunOptions } from '../command.ts';
import { columns } from '../output.ts';
import { changedText } from './changed.ts';

/** Larger than any key. */
const INPUT_MAX = 8192;

export function dkimCommand(context: CommandContext): Command {
  const dkim = new Command('dkim').description('keys that sign outgoing mail');
  common(dkim.command('list'))
    .description('all keys, and the record of each')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions) => {
      const list = await context.client(options).call('dkim.list', {});
      context.printer(options).print(list, () =>
        columns(
          ['SELECTOR', 'DOMAIN', 'TYPE', 'STATE', 'RECORD'],
          list.map((each) => [each.selector, each.domain ?? '-', each.type, each.state, each.record]),
          'no keys: waypost dkim rotate makes a pair',
        ),
      );
    });
  common(dkim.command('rotate'))
    .description('make a new pair of keys; it signs once its records are seen, the old records stay a week')
    .argument('[domain]', 'for this domain alone; without it for all that have no keys of their own')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (domain: string | undefined, options: DryRunOptions) => {
      const changed = await context.client(options).call('dkim.rotate', { domain, dryRun: options.dryRun });
      context.printer(options).print(changed, () => changedText(changed));
    });
  common(dkim.command('import'))
    .description('take the private key of a domain, PEM on standard input')
    .argument('<domain>')
    .argument('<selector>', 'its record is SELECTOR._domainkey.DOMAIN')
    .option('--dry-run', 'say what would happen, and change nothing')
    .option('--json', 'print JSON')
    .action(async (domain: string, selector: string, options: DryRunOptions) => {
      const input = { domain, selector, key: await readKey(), dryRun: options.dryRun };
      const changed = await context.client(options).call('dkim.import', input);
      context.printer(options).print(changed, () => changedText(changed));
    });
  return dkim;
}

/** Never an argument: arguments are public. */
async function readKey(): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    if (bytes > INPUT_MAX) throw new Failure('invalid', 'what stands on standard input is no key: it is too long');
  }
  return Buffer.concat(chunks).toString('utf8');
}
