// Which literal of a command is a message, that streams into the store: for the framer.

import { SyntaxFailure } from '../../base/cursor.ts';
import { Failure } from '../../base/failure.ts';
import { parseAppend } from './commands/append.ts';
import { parseReplace } from './commands/replace.ts';
import { ImapCursor } from './grammar.ts';

/** Whether the literal that follows `text` is a message: all before it has the form of an APPEND or REPLACE, or stands behind one. */
export function startsMessage(text: string, allowsUtf8: boolean): boolean {
  if (text.startsWith('\r\n')) return true;
  const cursor = new ImapCursor(text);
  cursor.allowsUtf8 = allowsUtf8;
  try {
    cursor.tag();
    cursor.space();
    const byUid = cursor.tryWord('UID ');
    const isAppend = !byUid && cursor.tryWord('APPEND ');
    if (!isAppend && !cursor.tryWord('REPLACE ')) return false;
    cursor.at--;
    const { messages } = isAppend ? parseAppend(cursor) : parseReplace(cursor, byUid);
    while (messages.next()?.kind !== 'bytes');
    return true;
  } catch (error) {
    // A name that cannot be is refused when the command runs; the message comes all the same.
    if (error instanceof SyntaxFailure) return false;
    if (error instanceof Failure) return true;
    throw error;
  }
}
