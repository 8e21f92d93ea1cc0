// APPEND as a value, read before its messages have come, and what stands between them.
//
// In      the command up to its first message; behind each message the rest, up to the next one or the end
// Out     its mailbox; step by step each message's flags, date and form, and where its bytes come
// RFC 3501 §6.3.11, RFC 3502 §6.3.11, RFC 3516 §4.4, RFC 6855 §4

import { flagList } from '../flags.ts';
import { ImapCursor } from '../grammar.ts';
import type { Flags } from '../values.ts';

export interface AppendCommand {
  readonly name: 'APPEND';
  readonly mailbox: string;
  readonly messages: MessageReader;
}

export type MessageStep =
  /** One more message. `internalDate` in epoch milliseconds; undefined: now. */
  | {
      readonly kind: 'begin';
      readonly flags: Flags;
      readonly internalDate: number | undefined;
      /** Whether the client says that its header is in UTF-8. */
      readonly isUtf8: boolean;
    }
  /** Its bytes come now; behind them goOn() is called. */
  | { readonly kind: 'bytes' }
  /** The message is whole. */
  | { readonly kind: 'end' };

type State = 'message' | 'bytes' | 'UTF8 bytes' | 'UTF8 end' | 'end' | 'next';

const NO_FLAGS: Flags = { system: [], keywords: [] };

/** Reads messages of a command one after another, as they come. */
export class MessageReader {
  readonly #mayBeSeveral: boolean;
  #cursor: ImapCursor;
  #state: State = 'message';
  #isBeforeBytes = true;

  /** The cursor stands before the first message. */
  constructor(cursor: ImapCursor, mayBeSeveral: boolean) {
    this.#cursor = cursor;
    this.#mayBeSeveral = mayBeSeveral;
  }

  /** The next step; undefined at the command's end. Throws SyntaxFailure. */
  next(): MessageStep | undefined {
    const cursor = this.#cursor;
    switch (this.#state) {
      case 'message':
        return this.#begin();
      case 'bytes':
      case 'UTF8 bytes':
        if (!cursor.atEnd) cursor.fail('the message as a literal');
        this.#state = this.#state === 'bytes' ? 'end' : 'UTF8 end';
        return { kind: 'bytes' };
      case 'UTF8 end':
        cursor.take(')');
        this.#state = 'next';
        return { kind: 'end' };
      case 'end':
        this.#state = 'next';
        return { kind: 'end' };
      case 'next':
        if (!this.#hasMore()) {
          cursor.end();
          return undefined;
        }
        return this.#mayBeSeveral ? this.#begin() : cursor.fail('the end of the command');
      default:
        return this.#state satisfies never;
    }
  }

  /**
   * The bytes have come, and this stands behind them: CRLF in their place, then more of the command, up to the next bytes
   * where `isBeforeBytes`, else to its end.
   */
  goOn(text: string, isBeforeBytes: boolean): void {
    const { allowsUtf8 } = this.#cursor;
    this.#cursor = new ImapCursor(text);
    this.#cursor.allowsUtf8 = allowsUtf8;
    this.#cursor.take('\r\n');
    this.#isBeforeBytes = isBeforeBytes;
  }

  /** A blank alone is one too many, unless a literal stands behind it. */
  #hasMore(): boolean {
    if (!this.#isBeforeBytes) return this.#cursor.trySpace();
    this.#cursor.space();
    return true;
  }

  #begin(): MessageStep {
    const cursor = this.#cursor;
    let flags = NO_FLAGS;
    if (cursor.peek() === 0x28) {
      flags = flagList(cursor);
      cursor.space();
    }
    let internalDate: number | undefined;
    if (cursor.peek() === 0x22) {
      internalDate = cursor.dateTime();
      cursor.space();
    }
    const isUtf8 = cursor.tryWord('UTF8 (');
    this.#state = isUtf8 ? 'UTF8 bytes' : 'bytes';
    return { kind: 'begin', flags, internalDate, isUtf8 };
  }
}

/** The command up to its first message, that is with a space as its last character. */
export function parseAppend(cursor: ImapCursor): AppendCommand {
  cursor.space();
  const mailbox = cursor.mailbox();
  cursor.space();
  return { name: 'APPEND', mailbox, messages: new MessageReader(cursor, true) };
}
