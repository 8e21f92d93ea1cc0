// One accepted connection as every door gets it: the socket, who is at the other end, output with back-pressure, deadlines.
//
// In      a socket, unread
// Out     gathered output, written once a turn
// Limits  OUTPUT_BUFFER_BYTES wait for a peer that does not read; then the connection is closed
// Never   parses; knows a protocol

import type { Socket } from 'node:net';
import { OUTPUT_BUFFER_BYTES } from '../base/limits.ts';

/** What is known of a connection before its first byte, and kept for its whole life. */
export interface ConnectionRecord {
  readonly id: number;
  /** The door: `smtp`, `submission`, `imap`, ... */
  readonly listener: string;
  readonly localAddress: string;
  readonly localPort: number;
  /** The peer as the kernel sees it; with a PROXY header later, as the proxy says. */
  readonly peerAddress: string;
  readonly peerPort: number;
  readonly isLoopback: boolean;
  /** Undefined until TLS is offered. */
  readonly tls: undefined;
  /** Undefined until virtual mail servers exist. */
  readonly virtualServer: undefined;
}

export function isLoopbackAddress(address: string): boolean {
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
}

let lastConnection = 0;

export function describeConnection(socket: Socket, listener: string): ConnectionRecord {
  const peerAddress = plainAddress(socket.remoteAddress ?? '');
  return {
    id: ++lastConnection,
    listener,
    localAddress: plainAddress(socket.localAddress ?? ''),
    localPort: socket.localPort ?? 0,
    peerAddress,
    peerPort: socket.remotePort ?? 0,
    isLoopback: isLoopbackAddress(peerAddress),
    tls: undefined,
    virtualServer: undefined,
  };
}

function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

/** Output of a connection, gathered during a turn and written at its end. */
export class Output {
  readonly #socket: Socket;
  #text = '';
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #scheduled = false;
  #drained: (() => void)[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('drain', () => this.#wake());
    socket.on('close', () => this.#wake());
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

  /** Gives everything gathered to the socket now. */
  flush(): void {
    this.#scheduled = false;
    if (this.#bytes === 0) return;
    this.#bytes = 0;
    const { writable } = this.#socket;
    if (this.#chunks.length === 0) {
      if (writable) this.#socket.write(this.#text, 'latin1');
      this.#text = '';
    } else {
      if (this.#text !== '') this.#chunks.push(Buffer.from(this.#text, 'latin1'));
      this.#text = '';
      const chunks = this.#chunks;
      this.#chunks = [];
      if (writable) {
        this.#socket.cork();
        for (const chunk of chunks) this.#socket.write(chunk);
        this.#socket.uncork();
      }
    }
    // The peer asks and does not read the answers.
    if (this.#socket.writableLength > OUTPUT_BUFFER_BYTES) this.#socket.destroy();
  }

  /** Bytes that the peer has not taken. */
  get waitingBytes(): number {
    return this.#bytes + this.#socket.writableLength;
  }

  /** Resolves when the peer has taken what was written, or is gone. For whoever streams more than a turn's worth. */
  drained(): Promise<void> {
    this.flush();
    if (!this.#socket.writableNeedDrain || this.#socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  #wake(): void {
    const waiting = this.#drained;
    this.#drained = [];
    for (const resolve of waiting) resolve();
  }

  /** Writes what is gathered, then closes; a peer that does not take it is cut off after `waitMs`. */
  end(waitMs = 5000): void {
    this.flush();
    if (this.#socket.destroyed) return;
    const timer = setTimeout(() => this.#socket.destroy(), waitMs);
    this.#socket.once('close', () => clearTimeout(timer));
    this.#socket.end();
  }
}

/** One deadline of a connection, moved forward by whoever makes progress. Costs a number a move, not a timer. */
export class Deadline {
  readonly #expired: () => void;
  #at = 0;
  /** When the timer looks. */
  #looksAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(expired: () => void) {
    this.#expired = expired;
  }

  set(afterMs: number): void {
    this.#at = performance.now() + afterMs;
    if (this.#timer !== undefined && this.#looksAt <= this.#at) return;
    // None is running, or one that would look too late: half an hour of IDLE is over, five minutes of a command begin.
    clearTimeout(this.#timer);
    this.#wait(afterMs);
  }

  #wait(ms: number): void {
    this.#looksAt = performance.now() + ms;
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    this.#timer = undefined;
    const left = this.#at - performance.now();
    if (left > 1) this.#wait(left);
    else this.#expired();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
