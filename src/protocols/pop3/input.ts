// A session's input: lines, waited for, with back-pressure on the socket.
//
// In      a socket's data
// Out     lines; undefined when no more come
// Limits  WAITING_BYTES wait for a session that is busy, then the socket is not read

import type { Socket } from 'node:net';
import { Framer, type Line } from '../../wire/framer.ts';

const WAITING_BYTES = 64 * 1024;

export class Pop3Input {
  readonly #socket: Socket;
  readonly #framer = new Framer();
  #closed = false;
  #discards = false;
  #waiting: (() => void) | undefined;

  /** `arrived` is called with each chunk: for the deadline. */
  constructor(socket: Socket, arrived: () => void) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      if (this.#discards) return;
      arrived();
      this.#framer.push(chunk);
      if (this.#waiting !== undefined) this.#wake();
      else if (this.#framer.waitingBytes > WAITING_BYTES) socket.pause();
    });
    socket.on('end', () => this.#close());
    socket.on('close', () => this.#close());
  }

  #close(): void {
    this.#closed = true;
    this.#wake();
  }

  #wake(): void {
    const resolve = this.#waiting;
    this.#waiting = undefined;
    resolve?.();
  }

  /** What has come may still be read when the peer has said all. */
  async line(maxBytes: number): Promise<Line | undefined> {
    for (;;) {
      const line = this.#framer.line(maxBytes);
      if (line !== undefined || this.#closed) return line;
      const arrival = new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
      this.#socket.resume();
      await arrival;
    }
  }

  /** No more lines. What still comes is thrown away: unread bytes would make the kernel cut off our last words. */
  discard(): void {
    this.#discards = true;
    this.#framer.clear();
    this.#close();
    this.#socket.resume();
  }
}
