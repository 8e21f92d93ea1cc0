// COPY and UID COPY as values. RFC 3501 §6.4.7

import type { ImapCursor } from '../grammar.ts';
import type { NumberSet } from '../values.ts';

export interface CopyCommand {
  readonly name: 'COPY';
  readonly messages: NumberSet;
  readonly mailbox: string;
}

export function parseCopy(cursor: ImapCursor, byUid: boolean): CopyCommand {
  cursor.space();
  const messages = cursor.numberSet(byUid);
  cursor.space();
  const mailbox = cursor.mailbox();
  cursor.end();
  return { name: 'COPY', messages, mailbox };
}
