// What is said on one connection: responses encoded one behind another, given out in pieces at the speed of the peer.
//
// In      responses of all operations, as they come
// Out     octets, whole responses in their order
// Limits  GATHERED_BYTES wait here, and what one response takes beyond that; a peer that takes nothing is cut off
// Never   lets one response begin in the middle of another

import type { Connection } from '../../net/connection.ts';
import { BerWriter } from '../../wire/ldap/ber.ts';
import type { LdapFramer } from '../../wire/ldap/framer.ts';
import { type LdapMessage, type LdapResponse, writeResponse } from '../../wire/ldap/message.ts';

const GATHERED_BYTES = 128 * 1024;
/** One response may be as large as the largest entry. */
const PIECE_BYTES = 1024 * 1024;

const NOW = Promise.resolve();

export class Responses {
  readonly #connection: Connection<LdapFramer>;
  readonly #stalledMs: number;
  readonly #writer = new BerWriter();
  #isScheduled = false;
  #isGiving = false;
  #giving: Promise<void> = NOW;

  /** A peer that takes nothing for `stalledMs` is cut off. */
  constructor(connection: Connection<LdapFramer>, stalledMs: number) {
    this.#connection = connection;
    this.#stalledMs = stalledMs;
  }

  /** Resolves when the response has found room. */
  add(response: LdapMessage<LdapResponse>): Promise<void> {
    if (this.#writer.length >= GATHERED_BYTES) return this.#addLater(response);
    this.#encode(response);
    return NOW;
  }

  async #addLater(response: LdapMessage<LdapResponse>): Promise<void> {
    while (this.#writer.length >= GATHERED_BYTES) await this.given();
    this.#encode(response);
  }

  #encode(response: LdapMessage<LdapResponse>): void {
    if (this.#connection.gone) return;
    writeResponse(this.#writer, response);
    if (this.#isScheduled || this.#isGiving) return;
    this.#isScheduled = true;
    process.nextTick(() => {
      this.#isScheduled = false;
      void this.given();
    });
  }

  /** Resolves when all that was added is on its way. */
  given(): Promise<void> {
    if (!this.#isGiving) this.#giving = this.#give();
    return this.#giving;
  }

  async #give(): Promise<void> {
    this.#isGiving = true;
    while (this.#writer.length > 0) {
      const bytes = this.#writer.take();
      for (let at = 0; at < bytes.length && !this.#connection.gone; at += PIECE_BYTES) {
        this.#connection.output.writeBytes(bytes.subarray(at, at + PIECE_BYTES));
        const taken = this.#connection.breathe();
        if (taken !== undefined) await this.#orStalled(taken);
      }
    }
    this.#isGiving = false;
  }

  async #orStalled(taken: Promise<void>): Promise<void> {
    const stalled = setTimeout(() => this.#connection.destroy(), this.#stalledMs);
    await taken;
    clearTimeout(stalled);
  }
}
