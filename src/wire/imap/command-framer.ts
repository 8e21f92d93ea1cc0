// IMAP's commands out of bytes: lines with their literals put together, APPEND's messages handed over as streams.
//
// In      push(chunk); what the session decides about a message literal
// Out     frames: a whole command, a wish for the continuation reply, a message to come, a refusal
// States  command -> (literal -> command)* ; message -> the rest of its command, in which others may come; a bad line is dropped
//         with the literals it announces
// Limits  line, literal and command sizes of base/limits.ts; a declared size counts before its bytes have come
// Never   makes a buffer as large as announced; reads bytes of a literal as commands
// RFC 3501 §2.2.1 §4.3 §7.5, RFC 7888 §4 §5, RFC 3502, RFC 3516 §4.4

import { IMAP_COMMAND_BYTES, IMAP_LINE_BYTES, IMAP_LITERAL_BYTES } from '../../base/limits.ts';
import { type BadLine, Framer, type Line } from '../framer.ts';

/** Size limits of one session, smaller before login: strangers get no memory. */
export interface ImapFramerLimits {
  readonly lineBytes: number;
  readonly literalBytes: number;
  readonly commandBytes: number;
  /** Swallowed of what is refused and comes all the same; more is fatal. */
  readonly droppedBytes: number;
}

/** A full ID, thirty values of 1024 octets, is a line of 32 KiB (RFC 2971 §3.3). */
export const LOGIN_FRAMER_LIMITS: ImapFramerLimits = {
  lineBytes: 32_768,
  literalBytes: 4096,
  commandBytes: 36_864,
  droppedBytes: 65_536,
};

/** Behind a login. What nobody wants is swallowed to twice the size that a message may have. */
export function sessionFramerLimits(messageSizeBytes: number): ImapFramerLimits {
  return {
    lineBytes: IMAP_LINE_BYTES,
    literalBytes: IMAP_LITERAL_BYTES,
    commandBytes: IMAP_COMMAND_BYTES,
    droppedBytes: 2 * messageSizeBytes,
  };
}

export type ImapFrame =
  /** All of a command as latin1, its literals in place as `{n}` CRLF bytes; without the last CRLF. Behind a message: the rest. */
  | { readonly kind: 'command'; readonly text: string }
  /** The client waits for "+" before it sends a literal that is allowed. */
  | { readonly kind: 'continue' }
  /**
   * A message follows: `text` is the command up to its literal, behind another message what came since, beginning with CRLF in
   * that one's place; `sizeBytes` may be Infinity. Before it asks for the next frame the session takes all of it by takeMessage,
   * or calls skipMessage, or refuse (only when `synchronizing`). The next frame is another message, or the command's end.
   */
  | {
      readonly kind: 'message';
      readonly text: string;
      readonly sizeBytes: number;
      readonly synchronizing: boolean;
      /** `~{n}`: it may hold NUL. */
      readonly isBinary: boolean;
    }
  /** Not a command; the next frame begins after it. `head` is how it began. */
  | { readonly kind: 'bad'; readonly reason: BadLine['reason'] | 'literal-too-large'; readonly head: string }
  /** The client sends more than it may without waiting: nothing to do but to close. */
  | { readonly kind: 'fatal'; readonly reason: 'literal-too-large' };

/** A literal's announcement at the end of a line. */
export interface LiteralHead {
  readonly at: number;
  readonly sizeBytes: number;
  readonly synchronizing: boolean;
  /** `~` stands before it. */
  readonly isBinary: boolean;
}

/** In a command with more literals before its first message, or behind a message, none is taken for a message any more. */
const LITERALS_BEFORE_MESSAGE = 100;
const NUMBER_DIGITS = 10;
const NUMBER_MAX = 0xffff_ffff;

type State = 'command' | 'literal' | 'message' | 'skipped message' | 'resync' | 'drop' | 'fatal';

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
  #isWithin = false;

  /** `startsMessage` says of a command up to a literal whether that literal is a message. Called for each literal. */
  constructor(startsMessage: (text: string) => boolean) {
    this.#startsMessage = startsMessage;
  }

  push(chunk: Buffer): void {
    this.#bytes.push(chunk);
  }

  /** A message has been announced, and its command has not ended. */
  get isWithinMessages(): boolean {
    return this.#isWithin;
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
          this.#goOnBehindMessage();
          break;
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

  /** The client got NO instead of "+": the literal will not come, nor the rest of its command. */
  refuse(): void {
    this.#begin();
    this.#isWithin = false;
  }

  /** Bytes of the accepted message that have come, undefined when none has or it is complete (messageComplete). */
  takeMessage(): Buffer | undefined {
    if (this.#state !== 'message' || this.#left === 0) return undefined;
    const chunk = this.#bytes.chunk(this.#left);
    if (chunk !== undefined) this.#left -= chunk.length;
    return chunk;
  }

  /** All bytes of the accepted message were taken; the next frame is of the rest of its command. */
  messageComplete(): boolean {
    if (this.#state !== 'message' || this.#left > 0) return false;
    this.#goOnBehindMessage();
    return true;
  }

  #goOnBehindMessage(): void {
    this.#begin();
    this.#add('\r\n');
  }

  #commandLine(line: Line): ImapFrame | undefined {
    if (line.kind === 'bad-line') {
      const head = (this.#parts[0] ?? line.head).slice(0, 64);
      this.#resync(line);
      this.#isWithin = false;
      return { kind: 'bad', reason: line.reason, head };
    }
    const literal = literalHead(line.text);
    if (literal === undefined) {
      this.#add(line.text);
      const text = this.#parts.length === 1 ? line.text : this.#parts.join('');
      this.#begin();
      this.#isWithin = false;
      return { kind: 'command', text };
    }
    const { sizeBytes, synchronizing, isBinary } = literal;
    this.#add(line.text.slice(0, literal.at));
    // Its mailbox may be a literal, and the URLs of CATENATE.
    if (this.#literals <= LITERALS_BEFORE_MESSAGE) {
      const text = this.#parts.join('');
      if (this.#startsMessage(text)) {
        this.#begin();
        this.#isWithin = true;
        this.#state = 'message';
        this.#left = sizeBytes;
        return { kind: 'message', text, sizeBytes, synchronizing, isBinary };
      }
    }
    if (sizeBytes > this.limits.literalBytes || this.#partsLength + sizeBytes > this.limits.commandBytes - 2) {
      const head = this.#parts[0]!.slice(0, 64);
      this.#begin();
      this.#isWithin = false;
      if (!synchronizing) this.#drop(sizeBytes);
      return this.#state === 'fatal' ? undefined : { kind: 'bad', reason: 'literal-too-large', head };
    }
    // In place, so that the cursor reads the literal where the client wrote it.
    this.#add(`${isBinary ? '~' : ''}{${sizeBytes}}\r\n`);
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
    if (literal !== undefined && !literal.synchronizing) this.#drop(literal.sizeBytes);
  }

  #drop(sizeBytes: number): void {
    this.#left = sizeBytes;
    this.#state = sizeBytes > this.limits.droppedBytes ? 'fatal' : 'drop';
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

/** `{n}`, `{n+}`, or either behind `~`, at the end of a line. A number above 2^32-1, RFC 3501's largest, is Infinity. */
export function literalHead(line: string): LiteralHead | undefined {
  if (line.charCodeAt(line.length - 1) !== 0x7d) return undefined;
  const synchronizing = line.charCodeAt(line.length - 2) !== 0x2b;
  const end = line.length - (synchronizing ? 1 : 2);
  let at = end;
  while (at > 0 && isDigit(line.charCodeAt(at - 1))) at--;
  if (at === end || line.charCodeAt(at - 1) !== 0x7b) return undefined;
  const size = end - at > NUMBER_DIGITS ? Number.POSITIVE_INFINITY : Number(line.slice(at, end));
  const isBinary = line.charCodeAt(at - 2) === 0x7e;
  const sizeBytes = size > NUMBER_MAX ? Number.POSITIVE_INFINITY : size;
  return { at: at - (isBinary ? 2 : 1), sizeBytes, synchronizing, isBinary };
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
