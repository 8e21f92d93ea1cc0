// waypost cert show, cert reload

import { Command } from 'commander';
import type { CertificateReport } from '../../admin/cert.ts';
import { type CommandContext, type CommonOptions, common } from '../command.ts';
import { columns } from '../output.ts';

export function certCommand(context: CommandContext): Command {
  const cert = new Command('cert').description('certificates of TLS');
  common(cert.command('show'))
    .description('what is served for which name, until when, and which files were refused')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions) => {
      const report = await context.client(options).call('cert.show', {});
      context.printer(options).print(report, () => text(report));
    });
  common(cert.command('reload'))
    .description('look at the files now, as SIGHUP does; it is done each minute')
    .option('--json', 'print JSON')
    .action(async (options: CommonOptions) => {
      const report = await context.client(options).call('cert.reload', {});
      context.printer(options).print(report, () => text(report));
    });
  return cert;
}

function text({ served, refused }: CertificateReport): string {
  const rows = served.map(({ name, source, key, until, isValid }) => [
    name,
    key,
    `${until.slice(0, 10)}${isValid ? '' : ' (not valid)'}`,
    source,
  ]);
  const parts = [columns(['NAME', 'KEY', 'UNTIL', 'FROM'], rows, 'nothing is served')];
  if (refused.length > 0)
    parts.push(
      '',
      columns(
        ['REFUSED', 'WHY'],
        refused.map(({ source, reason }) => [source, reason]),
        '',
      ),
    );
  return parts.join('\n');
}
