// RENAME as a value. RFC 3501 §6.3.5

import type { ImapCursor } from '../grammar.ts';

export interface RenameCommand {
  readonly name: 'RENAME';
  readonly from: string;
  readonly to: string;
}

export function parseRename(cursor: ImapCursor): RenameCommand {
  cursor.space();
  const from = cursor.mailbox();
  cursor.space();
  const to = cursor.mailbox();
  cursor.end();
  return { name: 'RENAME', from, to };
}
