// waypost queue import: a message in the text form, as queue show --raw writes it, is accepted anew.

import { open } from 'node:fs/promises';
import { Command } from 'commander';
import { EXIT } from '../../../base/exit.ts';
import { Failure } from '../../../base/failure.ts';
import { CrlfSearch, parseTextHead, TEXT_HEAD_BYTES } from '../../../transfer/text-form.ts';
import type { AdminClient } from '../../client.ts';
import { type CommandContext, type CommonOptions, common } from '../../command.ts';
import { printable } from '../../output.ts';

/** Above the largest head. */
const PAGE_BYTES = TEXT_HEAD_BYTES + 64 * 1024;

export function importCommand(context: CommandContext): Command {
  return common(new Command('import').argument('<file>', 'as queue show --raw writes it'))
    .description('accept a message in the text form; prints its new queue id')
    .option('--json', 'print JSON')
    .action(async (file: string, options: CommonOptions) => {
      const imported = await bring(context.client(options), file);
      const refused = imported.recipients.filter(({ how }) => how === 'refused');
      const isNothing = refused.length === imported.recipients.length;
      if (isNothing) context.exit(EXIT.no);
      context.printer(options).print(imported, () => {
        const lines = refused.map(({ address, code, enhanced, text }) => `${address}: ${code} ${enhanced} ${text}`);
        return [...(isNothing ? [] : [imported.id]), ...lines].map(printable).join('\n');
      });
    });
}

/** The head is looked at here first: what is no text form is brought to nobody. */
async function bring(client: AdminClient, path: string) {
  const file = await open(path, 'r').catch((error: Error) => {
    throw new Failure('invalid', `${path} cannot be read: ${error.message}`);
  });
  try {
    const page = Buffer.allocUnsafe(PAGE_BYTES);
    const read = async (at: number): Promise<Buffer> => {
      let length = 0;
      while (length < page.length) {
        const { bytesRead } = await file.read(page, length, page.length - length, at + length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      return page.subarray(0, length);
    };
    const first = await read(0);
    const { bodyAt } = parseTextHead(first, Date.now());
    const search = new CrlfSearch();
    for (let at = bodyAt, some = first.subarray(bodyAt); some.length > 0 && !search.found; some = await read(at)) {
      search.push(some);
      at += some.length;
    }
    let token: string | undefined;
    for (let at = 0; ; ) {
      const bytes = await read(at);
      at += bytes.length;
      const isLast = bytes.length < PAGE_BYTES;
      const base64 = bytes.toString('base64');
      const taken = await client.call('queue.import', {
        ...(token === undefined ? { isLf: !search.found } : { token }),
        base64,
        isLast,
      });
      if ('id' in taken) return taken;
      token = taken.token;
    }
  } finally {
    await file.close();
  }
}
