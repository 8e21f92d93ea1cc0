// Which literal of a command is a message, that streams into the store: for the framer.

import { SyntaxFailure } from '../../base/cursor.ts';
import { Failure } from '../../base/failure.ts';
import { parseAppend } from './commands/append.ts';
import { parseReplace } from './commands/replace.ts';
import { ImapCursor } from './grammar.ts';

/** Whether the literal that follows `text` is a message: all before it has the form of an APPEND or REPLACE, or stands behind one. */
export function startsMessage(text: string, allowsUtf8: boolean): boolean {
  // Behind a message another one comes, unless it is put together and its next part is a URL.
  if (text.startsWith('\r\n')) return text.slice(-4).toUpperCase() !== 'URL ';
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
    for (let step = messages.next(); step !== undefined; step = messages.next()) if (step.kind === 'bytes') return true;
    return false;
  } catch (error) {
    // A name that cannot be is refused when the command runs; the message comes all the same.
    if (error instanceof SyntaxFailure) return false;
    if (error instanceof Failure) return true;
    throw error;
  }
}
