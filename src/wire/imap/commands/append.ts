// APPEND as a value, read before its message has come. RFC 3501 §6.3.11

import { SyntaxFailure } from '../../../base/cursor.ts';
import { Failure } from '../../../base/failure.ts';
import { flagList } from '../flags.ts';
import { ImapCursor } from '../grammar.ts';
import type { Flags } from '../values.ts';

export interface AppendCommand {
  readonly name: 'APPEND';
  readonly mailbox: string;
  readonly flags: Flags;
  /** Epoch milliseconds; undefined: now. */
  readonly internalDate: number | undefined;
}

/** The command up to the message's literal, that is with a space as its last character. */
export function parseAppend(cursor: ImapCursor): AppendCommand {
  cursor.space();
  const mailbox = cursor.mailbox();
  cursor.space();
  let flags: Flags = { system: [], keywords: [] };
  if (cursor.peek() === 0x28) {
    flags = flagList(cursor);
    cursor.space();
  }
  let internalDate: number | undefined;
  if (cursor.peek() === 0x22) {
    internalDate = cursor.dateTime();
    cursor.space();
  }
  if (!cursor.atEnd) cursor.fail('the message as a literal');
  return { name: 'APPEND', mailbox, flags, internalDate };
}

/** Whether the literal that follows `text` is an APPEND's message: all before it has the form of one. */
export function startsMessage(text: string): boolean {
  const cursor = new ImapCursor(text);
  try {
    cursor.tag();
    cursor.space();
    if (!cursor.tryWord('APPEND ')) return false;
    cursor.at--;
    parseAppend(cursor);
    return true;
  } catch (error) {
    // A name that cannot be is refused when the command runs; the message comes all the same.
    if (error instanceof SyntaxFailure) return false;
    if (error instanceof Failure) return true;
    throw error;
  }
}
