// A session's input: frames, lines and message bytes, waited for, with back-pressure on the socket.
//
// In      a socket's data
// Out     what the command framer makes of it; undefined when the connection is closed and nothing is left
// Limits  WAITING_BYTES wait for a session that is busy, then the socket is not read

import type { Socket } from 'node:net';
import type { Line } from '../../wire/framer.ts';
import { CommandFramer, type ImapFrame } from '../../wire/imap/command-framer.ts';
import { startsMessage } from '../../wire/imap/commands/append.ts';

const WAITING_BYTES = 128 * 1024;

export class ImapInput {
  readonly framer = new CommandFramer(startsMessage);
  readonly #socket: Socket;
  #closed = false;
  #paused = false;
  #waiting: (() => void) | undefined;

  /** `arrived` is called with each chunk: for the deadline. */
  constructor(socket: Socket, arrived: () => void) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      arrived();
      this.framer.push(chunk);
      if (this.#waiting !== undefined) this.wake();
      else if (this.framer.waitingBytes > WAITING_BYTES) {
        this.#paused = true;
        socket.pause();
      }
    });
    socket.on('end', () => this.#close());
    socket.on('close', () => this.#close());
  }

  /** No more comes. What has come may still be read. */
  get closed(): boolean {
    return this.#closed;
  }

  #close(): void {
    this.#closed = true;
    this.wake();
  }

  /** Ends a wait: something other than input has happened. */
  wake(): void {
    const resolve = this.#waiting;
    this.#waiting = undefined;
    resolve?.();
  }

  /** Resolves with the next data, with the end of the connection, or with wake(). */
  wait(): Promise<void> {
    if (this.#paused) {
      this.#paused = false;
      this.#socket.resume();
    }
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  async frame(): Promise<ImapFrame | undefined> {
    for (;;) {
      const frame = this.framer.next();
      if (frame !== undefined || this.#closed) return frame;
      await this.wait();
    }
  }

  async line(): Promise<Line | undefined> {
    for (;;) {
      const line = this.framer.line();
      if (line !== undefined || this.#closed) return line;
      await this.wait();
    }
  }

  /** The next bytes of an accepted message; undefined when it is complete or the connection is closed. */
  async messageBytes(): Promise<Buffer | undefined> {
    for (;;) {
      const chunk = this.framer.takeMessage();
      if (chunk !== undefined || this.framer.messageComplete() || this.#closed) return chunk;
      await this.wait();
    }
  }
}
