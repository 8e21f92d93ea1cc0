// LIST and LSUB as values. RFC 3501 §6.3.8, §6.3.9

import type { ImapCursor } from '../grammar.ts';

export interface ListCommand {
  readonly name: 'LIST' | 'LSUB';
  /** Both as on the wire: wildcards are matched against encoded names. */
  readonly reference: string;
  readonly pattern: string;
}

export function parseList(name: ListCommand['name']): (cursor: ImapCursor) => ListCommand {
  return (cursor) => {
    cursor.space();
    const reference = cursor.astring();
    cursor.space();
    const pattern = cursor.listMailbox();
    cursor.end();
    return { name, reference, pattern };
  };
}
