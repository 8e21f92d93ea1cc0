// COPY, MOVE and their UID forms as values. RFC 3501 §6.4.7, RFC 6851 §3

import type { ImapCursor } from '../grammar.ts';
import type { NumberSet } from '../values.ts';

export interface CopyCommand<N extends 'COPY' | 'MOVE' = 'COPY' | 'MOVE'> {
  readonly name: N;
  readonly messages: NumberSet;
  readonly mailbox: string;
}

export function parseCopy<N extends 'COPY' | 'MOVE'>(name: N) {
  return (cursor: ImapCursor, byUid: boolean): CopyCommand<N> => {
    cursor.space();
    const messages = cursor.numberSet(byUid);
    cursor.space();
    const mailbox = cursor.mailbox();
    cursor.end();
    return { name, messages, mailbox };
  };
}
