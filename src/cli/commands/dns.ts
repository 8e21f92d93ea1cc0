// waypost dns records DOMAIN

import { Command } from 'commander';
import { type CommandContext, type CommonOptions, common } from '../command.ts';

export function dnsCommand(context: CommandContext): Command {
  const dns = new Command('dns').description('records of our zones');
  common(dns.command('records'))
    .description('what our name server answers for a domain, as a zone file')
    .argument('<domain>')
    .option('--json', 'print JSON')
    .action(async (domain: string, options: CommonOptions) => {
      const records = await context.client(options).call('dns.records', { domain });
      context.printer(options).print(records, () => records.text.trimEnd());
    });
  return dns;
}
