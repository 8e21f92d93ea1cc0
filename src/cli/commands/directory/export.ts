// waypost directory export: the directory as LDIF, what has changed in it, its schema.
//
// Out     nothing before all of it has been read, so that what is written is whole. At its head the revisions before the first page and
//         behind the last: what changed between them is in `--since` the first of them
// Limits  what has been read stands in a file of the system's temporary folder that has no name

import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import type { LdifPage } from '../../../admin/directory-export.ts';
import type { Revision } from '../../../base/ids.ts';
import { type CommandContext, type CommonOptions, common } from '../../command.ts';

const READ_BYTES = 1024 * 1024;

interface ExportOptions extends CommonOptions {
  readonly schema?: boolean;
  readonly passwords?: boolean;
  readonly since?: number;
}

export function exportCommand(context: CommandContext): Command {
  return common(new Command('export'))
    .description('the directory as LDIF, for another server or to keep')
    .option('--passwords', 'with password hashes')
    .option('--since <revision>', 'the changes behind this revision, as change records', revisionNumber)
    .option('--schema', 'the schema instead, as a file that OpenLDAP includes beside core, cosine and inetorgperson')
    .action(async (options: ExportOptions) => {
      const client = context.client(options);
      const { passwords = false, since } = options;
      if (options.schema === true) {
        const { schema } = await client.call('directory.schema', {});
        context.printer(options).print(schema, () => schema.trimEnd());
        return;
      }
      const page = (after: string | undefined): Promise<LdifPage> => {
        const from = after === undefined ? {} : { after };
        return since === undefined
          ? client.call('directory.export', { passwords, ...from })
          : client.call('directory.changes', { passwords, since, ...from });
      };
      await written(page, since);
    });
}

function revisionNumber(given: string): number {
  if (!/^\d{1,15}$/.test(given)) throw new InvalidArgumentError('A revision is a number.');
  return Number(given);
}

async function written(
  page: (after: string | undefined) => Promise<LdifPage>,
  since: number | undefined,
): Promise<void> {
  const file = unnamedFile();
  try {
    let first: Revision | undefined;
    let last: Revision | undefined;
    let length = 0;
    for (let after: string | null | undefined; after !== null; ) {
      const { ldif, next, revision } = await page(after);
      first ??= revision;
      last = revision;
      const octets = Buffer.from(ldif);
      for (let at = 0; at < octets.length; ) at += writeSync(file, octets, at, octets.length - at, length + at);
      length += octets.length;
      after = next;
    }
    // No `version:` and no blank line: slapadd takes neither behind a comment.
    await out(Buffer.from(`# first revision: ${since === undefined ? first : since + 1}\n# last revision: ${last}\n`));
    const piece = Buffer.allocUnsafe(READ_BYTES);
    for (let at = 0; at < length; ) {
      const read = readSync(file, piece, 0, piece.length, at);
      at += read;
      if (!(await out(Buffer.from(piece.subarray(0, read))))) return;
    }
  } finally {
    closeSync(file);
  }
}

/** It may hold passwords, and is gone with this process. */
function unnamedFile(): number {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-export-'));
  try {
    return openSync(join(folder, 'ldif'), 'wx+', 0o600);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** False where nobody reads any more. */
function out(octets: Buffer): Promise<boolean> {
  return new Promise((resolve) => process.stdout.write(octets, (error) => resolve(!error)));
}
