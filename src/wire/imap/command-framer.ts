// IMAP's commands out of bytes: lines with their literals put together, APPEND's message handed over as a stream.
//
// In      push(chunk); what the session decides about a message literal
// Out     frames: a whole command, a wish for the continuation reply, a message to come, a refusal
// States  command -> (literal -> command)* ; message -> message end; a bad line is dropped with the literals it announces
// Limits  line, literal and command sizes of base/limits.ts; a declared size counts before its bytes have come
// Never   makes a buffer as large as announced; reads bytes of a literal as commands
// RFC 3501 §2.2.1 §4.3 §7.5, RFC 7888 §4 §5

import { IMAP_COMMAND_BYTES, IMAP_LINE_BYTES, IMAP_LITERAL_BYTES } from '../../base/limits.ts';
import { type BadLine, Framer, type Line } from '../framer.ts';

/** Size limits of one session, smaller before login: strangers get no memory. */
export interface ImapFramerLimits {
  readonly lineBytes: number;
  readonly literalBytes: number;
  readonly commandBytes: number;
}

/** A full ID, thirty values of 1024 octets, is a line of 32 KiB (RFC 2971 §3.3). */
const LOGIN_FRAMER_LIMITS: ImapFramerLimits = { lineBytes: 32_768, literalBytes: 4096, commandBytes: 36_864 };
export const SESSION_FRAMER_LIMITS: ImapFramerLimits = {
  lineBytes: IMAP_LINE_BYTES,
  literalBytes: IMAP_LITERAL_BYTES,
  commandBytes: IMAP_COMMAND_BYTES,
};

export type ImapFrame =
  /** All of a command as latin1, its literals in place as `{n}` CRLF bytes; without the last CRLF. */
  | { readonly kind: 'command'; readonly text: string }
  /** The client waits for "+" before it sends a literal that is allowed. */
  | { readonly kind: 'continue' }
  /**
   * A message follows: `text` is the command up to its literal, `sizeBytes` may be Infinity. Before it asks for the next frame
   * the session takes all of it by takeMessage, or calls skipMessage, or refuseMessage (only when `synchronizing`).
   */
  | {
      readonly kind: 'message';
      readonly text: string;
      readonly sizeBytes: number;
      readonly synchronizing: boolean;
    }
  /** After the last byte of an accepted or skipped message. `clean`: the command ends there, as it must. */
  | { readonly kind: 'message-end'; readonly clean: boolean }
  /** Not a command; the next frame begins after it. `head` is how it began. */
  | { readonly kind: 'bad'; readonly reason: BadLine['reason'] | 'literal-too-large'; readonly head: string }
  /** The client sends more than it may without waiting: nothing to do but to close. */
  | { readonly kind: 'fatal'; readonly reason: 'literal-too-large' };

/** A literal's announcement at the end of a line. */
export interface LiteralHead {
  readonly at: number;
  readonly sizeBytes: number;
  readonly synchronizing: boolean;
}

/** Swallowed behind a bad line; more is fatal. */
const DROPPED_LITERAL_BYTES = 1024 * 1024;
const NUMBER_DIGITS = 10;
const NUMBER_MAX = 0xffff_ffff;

type State = 'command' | 'literal' | 'message' | 'skipped message' | 'message-tail' | 'resync' | 'drop' | 'fatal';

export class CommandFramer {
  limits: ImapFramerLimits = LOGIN_FRAMER_LIMITS;
  readonly #bytes = new Framer();
  readonly #startsMessage: (text: string) => boolean;
  #state: State = 'command';
  #parts: string[] = [];
  #partsLength = 0;
  #literals = 0;
  /** Bytes still to come of the literal or message, or to be dropped. */
  #left = 0;

  /** `startsMessage` says of a command up to a literal whether that literal is a message. Called for each literal. */
  constructor(startsMessage: (text: string) => boolean) {
    this.#startsMessage = startsMessage;
  }

  push(chunk: Buffer): void {
    this.#bytes.push(chunk);
  }

  get waitingBytes(): number {
    return this.#bytes.waitingBytes;
  }

  /** The next frame, undefined when more bytes are needed. None while an accepted message is being taken. */
  next(): ImapFrame | undefined {
    for (;;) {
      switch (this.#state) {
        case 'command': {
          const line = this.#bytes.line(Math.min(this.limits.lineBytes, this.limits.commandBytes - this.#partsLength));
          if (line === undefined) return undefined;
          const frame = this.#commandLine(line);
          if (frame !== undefined) return frame;
          break;
        }
        case 'literal': {
          const bytes = this.#bytes.block(this.#left);
          if (bytes === undefined) return undefined;
          this.#add(bytes.toString('latin1'));
          this.#state = 'command';
          break;
        }
        case 'message':
          return undefined;
        case 'skipped message': {
          if (!this.#dropBytes()) return undefined;
          this.#state = 'message-tail';
          break;
        }
        case 'message-tail': {
          const line = this.#bytes.line(this.limits.lineBytes);
          if (line === undefined) return undefined;
          // A blank too many is no other command.
          const clean = line.kind === 'line' && line.text.trim() === '';
          if (clean) this.#begin();
          else this.#resync(line);
          return { kind: 'message-end', clean };
        }
        case 'resync': {
          const end = this.#bytes.finishBadLine();
          if (end === undefined) return undefined;
          this.#dropLiteralOf(end);
          break;
        }
        case 'drop': {
          if (!this.#dropBytes()) return undefined;
          const line = this.#bytes.line(this.limits.lineBytes);
          if (line === undefined) return undefined;
          this.#resync(line);
          break;
        }
        case 'fatal':
          return { kind: 'fatal', reason: 'literal-too-large' };
        default:
          return this.#state satisfies never;
      }
    }
  }

  /** A line that is no command: what a client sends during IDLE and AUTHENTICATE. Only between commands. */
  line(): Line | undefined {
    return this.#bytes.line(this.limits.lineBytes);
  }

  /** The announced message is read and forgotten. */
  skipMessage(): void {
    this.#state = 'skipped message';
  }

  /** The client got NO instead of "+": the message will not come. */
  refuseMessage(): void {
    this.#begin();
  }

  /** Bytes of the accepted message that have come, undefined when none has or it is complete (messageComplete). */
  takeMessage(): Buffer | undefined {
    if (this.#state !== 'message' || this.#left === 0) return undefined;
    const chunk = this.#bytes.chunk(this.#left);
    if (chunk !== undefined) this.#left -= chunk.length;
    return chunk;
  }

  /** All bytes of the accepted message were taken; the next frame is its message-end. */
  messageComplete(): boolean {
    if (this.#state !== 'message' || this.#left > 0) return false;
    this.#state = 'message-tail';
    return true;
  }

  #commandLine(line: Line): ImapFrame | undefined {
    if (line.kind === 'bad-line') {
      const head = (this.#parts[0] ?? line.head).slice(0, 64);
      this.#resync(line);
      return { kind: 'bad', reason: line.reason, head };
    }
    const literal = literalHead(line.text);
    if (literal === undefined) {
      this.#add(line.text);
      const text = this.#parts.length === 1 ? line.text : this.#parts.join('');
      this.#begin();
      return { kind: 'command', text };
    }
    this.#add(line.text.slice(0, literal.at));
    // APPEND's mailbox may be a literal, its flags and date may not.
    const before = this.#literals <= 1 ? this.#parts.join('') : '';
    if (this.#literals <= 1 && this.#startsMessage(before)) {
      this.#begin();
      this.#state = 'message';
      this.#left = literal.sizeBytes;
      return { kind: 'message', text: before, sizeBytes: literal.sizeBytes, synchronizing: literal.synchronizing };
    }
    const { sizeBytes, synchronizing } = literal;
    if (sizeBytes > this.limits.literalBytes || this.#partsLength + sizeBytes > this.limits.commandBytes - 2) {
      const head = this.#parts[0]!.slice(0, 64);
      this.#begin();
      if (synchronizing) return { kind: 'bad', reason: 'literal-too-large', head };
      this.#state = 'fatal';
      return undefined;
    }
    // In place, so that the cursor reads the literal where the client wrote it.
    this.#add(`{${sizeBytes}}\r\n`);
    this.#literals++;
    this.#state = 'literal';
    this.#left = sizeBytes;
    return synchronizing ? { kind: 'continue' } : undefined;
  }

  #begin(): void {
    this.#state = 'command';
    this.#parts = [];
    this.#partsLength = 0;
    this.#literals = 0;
    this.#left = 0;
  }

  #add(text: string): void {
    this.#parts.push(text);
    this.#partsLength += text.length;
  }

  /** Drops what belongs to a refused line. */
  #resync(line: Line): void {
    if (line.kind === 'line') this.#dropLiteralOf(line.text);
    else this.#state = 'resync';
  }

  /** A refused line ends so: what it announces without waiting must not be read as commands. */
  #dropLiteralOf(end: string): void {
    this.#begin();
    const literal = literalHead(end);
    if (literal === undefined || literal.synchronizing) return;
    this.#left = literal.sizeBytes;
    this.#state = literal.sizeBytes > DROPPED_LITERAL_BYTES ? 'fatal' : 'drop';
  }

  /** True when nothing is left to drop. */
  #dropBytes(): boolean {
    while (this.#left > 0) {
      const chunk = this.#bytes.chunk(this.#left);
      if (chunk === undefined) return false;
      this.#left -= chunk.length;
    }
    return true;
  }
}

/** `{n}` or `{n+}` at the end of a line. A number above 2^32-1, RFC 3501's largest, is Infinity. */
export function literalHead(line: string): LiteralHead | undefined {
  if (line.charCodeAt(line.length - 1) !== 0x7d) return undefined;
  const synchronizing = line.charCodeAt(line.length - 2) !== 0x2b;
  const end = line.length - (synchronizing ? 1 : 2);
  let at = end;
  while (at > 0 && isDigit(line.charCodeAt(at - 1))) at--;
  if (at === end || line.charCodeAt(at - 1) !== 0x7b) return undefined;
  const size = end - at > NUMBER_DIGITS ? Number.POSITIVE_INFINITY : Number(line.slice(at, end));
  return { at: at - 1, sizeBytes: size > NUMBER_MAX ? Number.POSITIVE_INFINITY : size, synchronizing };
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
