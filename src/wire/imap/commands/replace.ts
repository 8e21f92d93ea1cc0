// REPLACE and UID REPLACE as values, read before the new message has come. RFC 8508 §3, §6

import type { ImapCursor } from '../grammar.ts';
import { type NumberSet, STAR } from '../values.ts';
import { MessageReader } from './append.ts';

export interface ReplaceCommand {
  readonly name: 'REPLACE';
  /** One number. */
  readonly replaced: NumberSet;
  /** Where the new message goes. */
  readonly mailbox: string;
  /** Of one message. */
  readonly messages: MessageReader;
}

export function parseReplace(cursor: ImapCursor, byUid: boolean): ReplaceCommand {
  cursor.space();
  const number = cursor.tryTake('*') ? STAR : cursor.nzNumber();
  cursor.space();
  const mailbox = cursor.mailbox();
  cursor.space();
  const replaced: NumberSet = { unit: byUid ? 'uid' : 'sequence', ranges: [{ first: number, last: number }] };
  return { name: 'REPLACE', replaced, mailbox, messages: new MessageReader(cursor, false) };
}
