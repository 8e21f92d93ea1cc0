// APPEND as a value, read before its messages have come, and what stands between them.
//
// In      the command up to its first message; behind each message the rest, up to the next one or the end
// Out     its mailbox; step by step each message's flags, date and form, and where its bytes come
// RFC 3501 §6.3.11, RFC 3502 §6.3.11, RFC 3516 §4.4, RFC 4469 §3, RFC 6855 §4

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
  /** Its bytes come now, or, where it is put together, a part of them; behind them goOn() is called. */
  | { readonly kind: 'bytes' }
  /** A part of it is what this URL names, as octets. RFC 4469 §3 */
  | { readonly kind: 'url'; readonly url: string }
  /** The message is whole. */
  | { readonly kind: 'end' };

type State = 'message' | 'bytes' | 'part' | 'part bytes' | 'part end' | 'UTF8 bytes' | 'UTF8 end' | 'end' | 'next';

const NO_FLAGS: Flags = { system: [], keywords: [] };

/** Reads messages of a command one after another, as they come. */
export class MessageReader {
  readonly #mayBeSeveral: boolean;
  #cursor: ImapCursor;
  #state: State = 'message';
  /** Bytes come behind what has been given. */
  isBeforeBytes = true;

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
      case 'part':
        return this.#part();
      case 'part bytes':
        if (!cursor.atEnd) cursor.fail('a part as a literal');
        this.#state = 'part end';
        return { kind: 'bytes' };
      case 'part end':
        if (!cursor.tryTake(')')) {
          cursor.space();
          return this.#part();
        }
        this.#state = 'next';
        return { kind: 'end' };
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
    this.isBeforeBytes = isBeforeBytes;
  }

  /** A blank alone is one too many, unless a literal stands behind it. */
  #hasMore(): boolean {
    if (!this.isBeforeBytes) return this.#cursor.trySpace();
    this.#cursor.space();
    return true;
  }

  #begin(): MessageStep | undefined {
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
    if (isUtf8) this.#state = 'UTF8 bytes';
    else this.#state = cursor.tryWord('CATENATE (') ? 'part' : 'bytes';
    return { kind: 'begin', flags, internalDate, isUtf8 };
  }

  #part(): MessageStep | undefined {
    const cursor = this.#cursor;
    if (cursor.tryWord('TEXT ')) {
      this.#state = 'part bytes';
      return this.next();
    }
    if (!cursor.tryWord('URL ')) cursor.fail('TEXT or URL');
    this.#state = 'part end';
    return { kind: 'url', url: cursor.astring() };
  }
}

/** The command up to its first message, that is with a space as its last character. */
export function parseAppend(cursor: ImapCursor): AppendCommand {
  cursor.space();
  const mailbox = cursor.mailbox();
  cursor.space();
  return { name: 'APPEND', mailbox, messages: new MessageReader(cursor, true) };
}
