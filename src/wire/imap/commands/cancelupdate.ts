// CANCELUPDATE as a value. RFC 5267 §5

import type { ImapCursor } from '../grammar.ts';

export interface CancelUpdateCommand {
  readonly name: 'CANCELUPDATE';
  readonly tags: readonly string[];
}

export function parseCancelUpdate(cursor: ImapCursor): CancelUpdateCommand {
  const tags: string[] = [];
  do {
    cursor.space();
    tags.push(cursor.tryQuoted() ?? cursor.fail('a tag in quotes'));
  } while (!cursor.atEnd);
  return { name: 'CANCELUPDATE', tags };
}
