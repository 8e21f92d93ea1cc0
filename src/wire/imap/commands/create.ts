// CREATE as a value. RFC 3501 §6.3.3, RFC 6154 §3 (USE), RFC 4466 §2.2

import type { ImapCursor } from '../grammar.ts';

export interface CreateCommand {
  readonly name: 'CREATE';
  /** In Unicode. It may end in the separator. */
  readonly mailbox: string;
  /** What the mailbox is to be for, `\Sent`, as the client writes it; undefined: nothing is said. */
  readonly uses: readonly string[] | undefined;
}

const USES_MAX = 20;

export function parseCreate(cursor: ImapCursor): CreateCommand {
  cursor.space();
  const mailbox = cursor.mailbox();
  let uses: string[] | undefined;
  if (cursor.trySpace())
    cursor.list(() => {
      if (uses !== undefined || !cursor.tryWord('USE')) cursor.fail('USE, once');
      cursor.space();
      uses = parseUses(cursor);
    });
  cursor.end();
  return { name: 'CREATE', mailbox, uses };
}

function parseUses(cursor: ImapCursor): string[] {
  let count = 0;
  return cursor.list(() => {
    if (++count > USES_MAX) cursor.fail(`at most ${USES_MAX} uses`);
    cursor.take('\\');
    return `\\${cursor.atom()}`;
  });
}
