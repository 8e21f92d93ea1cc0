// A command that takes long says how far it is. RFC 9585 §3
//
// In      how many messages there are, and that some more of them are done
// Out     an untagged OK with INPROGRESS each PROGRESS_MS; nothing for a command that is done by then

import { SECOND_MS } from '../../base/duration.ts';
import { encodeUntagged } from '../../wire/imap/responses/status.ts';
import { encodeString } from '../../wire/imap/responses/strings.ts';
import type { ImapConversation } from './conversation.ts';

const PROGRESS_MS = 10 * SECOND_MS;

export class Progress {
  readonly #session: ImapConversation;
  readonly #goal: number;
  #done = 0;
  #saidAt: number;

  constructor(session: ImapConversation, goal: number) {
    this.#session = session;
    this.#goal = goal;
    this.#saidAt = session.door.clock.monotonic();
  }

  advance(messages: number): void {
    this.#done += messages;
    const now = this.#session.door.clock.monotonic();
    if (now - this.#saidAt < PROGRESS_MS || this.#done >= this.#goal) return;
    this.#saidAt = now;
    const code = `INPROGRESS (${encodeString(this.#session.tag)} ${this.#done} ${this.#goal})`;
    this.#session.write(encodeUntagged('OK', 'Still at it', code));
  }
}
