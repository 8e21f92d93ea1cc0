// Output of a connection, gathered during a turn of the event loop and written at its end.
//
// In      text, bytes
// Limits  OUTPUT_BUFFER_BYTES that the peer has not taken: then the transport is closed
// Never   waits: a caller that writes much looks at waitingBytes, and waits for drained()

import type { Duplex } from 'node:stream';
import { OUTPUT_BUFFER_BYTES } from '../base/limits.ts';

export class Output {
  #transport!: Duplex;
  #text = '';
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #scheduled = false;
  #drained: (() => void)[] = [];

  constructor(transport: Duplex) {
    this.writeTo(transport);
  }

  /** From now on everything goes there. What was gathered before must have been flushed. */
  writeTo(transport: Duplex): void {
    this.#transport = transport;
    transport.on('drain', () => this.#wake());
    transport.on('close', () => this.#wake());
  }

  /** Text in latin1: a character is a byte. */
  write(text: string): void {
    this.#text += text;
    this.#count(text.length);
  }

  /** The bytes must not change until they are gone. */
  writeBytes(bytes: Uint8Array): void {
    if (this.#text !== '') {
      this.#chunks.push(Buffer.from(this.#text, 'latin1'));
      this.#text = '';
    }
    this.#chunks.push(bytes);
    this.#count(bytes.length);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#scheduled) return;
    this.#scheduled = true;
    process.nextTick(() => this.flush());
  }

  /** Gives everything gathered to the transport now. */
  flush(): void {
    this.#scheduled = false;
    if (this.#bytes === 0) return;
    this.#bytes = 0;
    const { writable } = this.#transport;
    if (this.#chunks.length === 0) {
      if (writable) this.#transport.write(this.#text, 'latin1');
      this.#text = '';
    } else {
      if (this.#text !== '') this.#chunks.push(Buffer.from(this.#text, 'latin1'));
      this.#text = '';
      const chunks = this.#chunks;
      this.#chunks = [];
      if (writable) {
        this.#transport.cork();
        for (const chunk of chunks) this.#transport.write(chunk);
        this.#transport.uncork();
      }
    }
    // The peer asks and does not read the answers.
    if (this.#transport.writableLength > OUTPUT_BUFFER_BYTES) this.#transport.destroy();
  }

  /** Bytes that the peer has not taken. */
  get waitingBytes(): number {
    return this.#bytes + this.#transport.writableLength;
  }

  /** Resolves when the peer has taken what was written, or is gone. For callers that stream more than one turn writes. */
  drained(): Promise<void> {
    this.flush();
    if (!this.#transport.writableNeedDrain || this.#transport.destroyed) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  #wake(): void {
    const waiting = this.#drained;
    this.#drained = [];
    for (const resolve of waiting) resolve();
  }

  /** Writes what is gathered, then closes; a peer that does not take it is cut off after `waitMs`. */
  end(waitMs: number): void {
    this.flush();
    const transport = this.#transport;
    if (transport.destroyed) return;
    const timer = setTimeout(() => transport.destroy(), waitMs);
    transport.once('close', () => clearTimeout(timer));
    transport.end();
  }
}
