// A message as a test looks at it.

import { decodeWords } from '../message/decode.ts';
import { findValue, parseHeader } from '../message/header.ts';

export interface ReceivedMessage {
  /** All its octets. */
  readonly raw: Buffer;
  /** The first field of that name, unfolded, encoded words as text; undefined where there is none. */
  header(name: string): string | undefined;
}

/** What a message has to be for a test to go on. */
export interface MessageWishes {
  /** Of its Subject; a text is a part of it. */
  readonly subject?: RegExp | string;
  /** How long to wait; 10 s if nothing is said. */
  readonly timeoutMs?: number;
}

const WAIT_MS = 10_000;
const LOOK_MS = 30;

export function receivedMessage(raw: Buffer): ReceivedMessage {
  return {
    raw,
    header(name) {
      const value = findValue(parseHeader(raw), name.toLowerCase());
      return value === undefined ? undefined : decodeWords(value).trim();
    },
  };
}

/** The first one that is as wished; rejects with the subjects that there are when none comes. */
export async function awaitMessage<Message extends ReceivedMessage>(
  look: () => readonly Message[] | Promise<readonly Message[]>,
  { subject, timeoutMs = WAIT_MS }: MessageWishes,
): Promise<Message> {
  for (const end = performance.now() + timeoutMs; ; ) {
    const messages = await look();
    const found = messages.find((message) => hasSubject(message, subject));
    if (found !== undefined) return found;
    if (performance.now() > end) {
      const there = messages.map((message) => message.header('subject') ?? '(none)').join(', ');
      throw new Error(
        `no message${subject === undefined ? '' : ` with the subject ${subject}`} came in ${timeoutMs} ms; there is: ${there === '' ? 'none' : there}`,
      );
    }
    await new Promise((turn) => setTimeout(turn, LOOK_MS));
  }
}

function hasSubject(message: ReceivedMessage, wished: RegExp | string | undefined): boolean {
  if (wished === undefined) return true;
  const subject = message.header('subject') ?? '';
  return typeof wished === 'string' ? subject.includes(wished) : subject.search(wished) >= 0;
}
