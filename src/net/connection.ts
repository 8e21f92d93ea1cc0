// One accepted connection as every door gets it: who is at the other end, input for a framer, output, deadlines, the end.
//
// In      a socket, unread; or any stream that has taken its place
// Out     chunks for the framer; gathered output, written once a turn
// States  open -> (peer said all) -> ended by us -> closed; the transport may be replaced while it is open
// Limits  INPUT_HIGH_BYTES read ahead of a busy session; OUTPUT_HIGH_BYTES written ahead of the peer by a session that calls
//         breathe(), OUTPUT_BUFFER_BYTES by any; TURN_MS at a time; STALLED_MS for a peer that takes nothing
// Never   parses; knows a protocol, but how TLS begins: who speaks it where it is not expected is cut off
//
// A session drains the framer without waiting and calls more() when it is empty, so that commands which are answered at
// once cost no turn:
//
//   do {
//     for (let line = framer.line(MAX); line !== undefined; line = framer.line(MAX)) ...answer it, breathe()...
//   } while (await connection.more());
//   connection.end();

import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { isLoopbackAddress } from './client-of.ts';
import { Deadline } from './deadline.ts';
import { Output } from './output.ts';
import { type TlsState, tlsOf } from './tls-state.ts';

/**
 * What is known of a connection. All but `tls` and `isPrivate` is known before its first byte and never changes, unless a peer
 * that may says in the protocol for whom it speaks.
 */
export interface ConnectionRecord {
  readonly id: number;
  /** The door: `smtp`, `submission`, `imap`, ... */
  readonly listener: string;
  /** '' on a Unix socket, as are the other addresses. */
  readonly localAddress: string;
  readonly localPort: number;
  /** The peer as the kernel sees it; behind a proxy the client, as the proxy says. */
  readonly peerAddress: string;
  readonly peerPort: number;
  /** The host name of the client, as one says that speaks for it; nobody looks it up here. */
  readonly peerName?: string;
  /** The proxy that passes the connection on. */
  readonly proxyAddress?: string;
  /** The host name that the client asked for, as the proxy says. */
  readonly proxiedServerName?: string;
  /** With this program, or with a proxy that we trust. */
  readonly tls: TlsState | undefined;
  /** No third party can listen: TLS, loopback or a Unix socket. */
  readonly isPrivate: boolean;
}

let lastConnection = 0;

export function describeConnection(socket: Socket, listener: string): ConnectionRecord {
  const localAddress = plainAddress(socket.localAddress ?? '');
  const peerAddress = plainAddress(socket.remoteAddress ?? '');
  return {
    id: ++lastConnection,
    listener,
    localAddress,
    localPort: socket.localPort ?? 0,
    peerAddress,
    peerPort: socket.remotePort ?? 0,
    tls: undefined,
    // Only a Unix socket has no local address; a TCP peer that has left already has no peer address either.
    isPrivate: localAddress === '' || isLoopbackAddress(peerAddress),
  };
}

/** The record of a connection that goes on over this transport. */
export function recordOver(transport: Duplex, record: ConnectionRecord): ConnectionRecord {
  const tls = tlsOf(transport);
  return tls === undefined ? record : { ...record, tls, isPrivate: true };
}

/** Without what marks IPv4 on a socket of IPv6. */
export function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

/**
 * How a client begins that speaks TLS where it is not spoken, or not yet. No protocol here begins so, nor a query of DNS
 * that is short enough; it would wait for an answer that it can read.
 */
const TLS_HANDSHAKE = 0x16;
const INPUT_HIGH_BYTES = 128 * 1024;
const OUTPUT_HIGH_BYTES = 256 * 1024;
const TURN_MS = 8;
const STALLED_MS = 300_000;
/** Time for the peer to take the last output. */
const END_MS = 5000;
/** TCP keep-alive: a silent peer is probed after so long. */
const KEEP_ALIVE_MS = 300_000;

const YES = Promise.resolve(true);
const NO = Promise.resolve(false);

export class Connection<F extends { push(chunk: Buffer): void }> {
  readonly output: Output;
  #record: ConnectionRecord;
  #framer: F;
  readonly #createFramer: () => F;
  readonly #socket: Duplex;
  /** The socket, or what has taken its place. */
  #transport: Duplex;
  /** Bytes that the framer got since the session last found it empty. */
  #unreadBytes = 0;
  #isWoken = false;
  #isFirstChunk = true;
  /** No more input comes: the peer has said all, or is gone. */
  #isOver = false;
  /** end() was called. */
  #isEnded = false;
  #isPaused = false;
  #waiting: ((more: boolean) => void) | undefined;
  #turnStart = performance.now();
  readonly #deadline = new Deadline();

  /** Takes the socket over and begins to read. `createFramer` is called again when the transport is replaced. */
  constructor(socket: Duplex, record: ConnectionRecord, createFramer: () => F) {
    this.#record = record;
    this.#createFramer = createFramer;
    this.#framer = createFramer();
    this.#socket = socket;
    this.#transport = socket;
    this.output = new Output(socket);
    if (socket instanceof Socket) socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.#listen(socket);
  }

  get record(): ConnectionRecord {
    return this.#record;
  }

  /** The peer has said whose connection it is. */
  speakFor(record: ConnectionRecord): void {
    this.#record = record;
  }

  /** Another one after replaceTransport(): not to be kept in a variable across it. */
  get framer(): F {
    return this.#framer;
  }

  /** Where it is read and written: the socket, or what has taken its place. */
  get transport(): Duplex {
    return this.#transport;
  }

  /** Nothing that is still written arrives: the peer is gone, or end() was called. Work for it may stop. */
  get gone(): boolean {
    return this.#isEnded || this.#transport.destroyed;
  }

  /** Calls the listener once, when the socket has been closed by whichever side. */
  onClose(listener: () => void): void {
    if (this.#socket.closed) listener();
    else this.#socket.once('close', listener);
  }

  /**
   * Waits until the framer has more than the session found in it. True: it has, or wake() was called. False: the peer will
   * say no more, or end() was called. Called when the framer is empty; until then little is read ahead.
   */
  more(): Promise<boolean> {
    if (this.#isEnded) return NO;
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#transport.resume();
    }
    if (this.#unreadBytes > 0 || this.#isWoken) {
      this.#unreadBytes = 0;
      this.#isWoken = false;
      return YES;
    }
    if (this.#isOver) return NO;
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  /** Ends a wait in more(), now or the next: something other than input has happened. */
  wake(): void {
    this.#isWoken = true;
    this.#goOn();
  }

  /** wake(), for a session that has to end: one that is not at its end after `ms`, whatever it does, is closed. */
  endWithin(ms: number): void {
    this.wake();
    const late = setTimeout(() => !this.gone && this.destroy(), ms);
    this.onClose(() => clearTimeout(late));
  }

  /**
   * Undefined, or a wait: for a peer that does not take what was written, or for a turn of other connections. One whose steps
   * are long says after how long that is to be.
   */
  breathe(turnMs = TURN_MS): Promise<void> | undefined {
    const isTurnOver = performance.now() - this.#turnStart >= turnMs;
    return isTurnOver || this.output.waitingBytes > OUTPUT_HIGH_BYTES ? this.#pause(isTurnOver) : undefined;
  }

  async #pause(isTurnOver: boolean): Promise<void> {
    if (this.output.waitingBytes > OUTPUT_HIGH_BYTES) {
      const stalled = setTimeout(() => this.destroy(), STALLED_MS);
      await this.output.drained();
      clearTimeout(stalled);
    }
    if (!isTurnOver) return;
    await new Promise((turn) => setImmediate(turn));
    this.#turnStart = performance.now();
  }

  /** Calls `late` in so many milliseconds, unless the deadline is set again before. There is one; end() clears it. */
  deadline(ms: number, late: () => void): void {
    if (!this.gone) this.#deadline.set(ms, late);
  }

  /**
   * Puts another stream in the transport's place, such as TLS over it. What is gathered goes out before; input that waits
   * is dropped, whether the framer has it or not, because it was not sent through the new transport: commands injected
   * before STARTTLS must never run. `upgrade` gets the old transport paused, and rejects when that closes; its failure
   * closes the connection.
   */
  async replaceTransport(upgrade: (raw: Duplex) => Promise<Duplex>): Promise<void> {
    const raw = this.#transport;
    this.output.flush();
    raw.off('data', this.#receive);
    raw.off('end', this.#over);
    raw.pause();
    while (raw.read() !== null);
    this.#framer = this.#createFramer();
    this.#unreadBytes = 0;
    this.#isPaused = false;
    // A half-close in the middle of a handshake ends the connection.
    raw.allowHalfOpen = false;
    let transport: Duplex;
    try {
      transport = await upgrade(raw);
    } catch (error) {
      this.destroy();
      throw error;
    }
    raw.allowHalfOpen = true;
    transport.once('close', () => raw.destroy());
    this.#transport = transport;
    this.#record = recordOver(transport, this.#record);
    this.output.writeTo(transport);
    this.#listen(transport);
    // It ended while the handshake ran.
    if (raw.destroyed || this.#isEnded) this.destroy();
  }

  /** Sends what is gathered and closes; a peer that does not take it is cut off after `waitMs`. No more input is given. */
  end(waitMs = END_MS): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#deadline.clear();
    this.output.end(waitMs);
    // What the peer still sends is read and dropped: closing a socket with unread bytes makes the kernel send a reset, and a
    // reset makes the peer lose the last output.
    this.#transport.resume();
    this.#goOn();
  }

  /** Closes at once; what is gathered is lost. */
  destroy(): void {
    this.#transport.destroy();
  }

  #listen(transport: Duplex): void {
    // After a half-close the peer still gets all answers.
    transport.allowHalfOpen = true;
    transport.on('data', this.#receive);
    transport.on('end', this.#over);
    // Whatever the error, `close` follows.
    transport.on('error', () => {});
    transport.on('close', () => {
      this.#deadline.clear();
      this.#over();
    });
    transport.resume();
  }

  readonly #receive = (chunk: Buffer): void => {
    if (this.#isEnded) return;
    if (this.#isFirstChunk) {
      this.#isFirstChunk = false;
      if (chunk[0] === TLS_HANDSHAKE) {
        this.destroy();
        return;
      }
    }
    this.#framer.push(chunk);
    this.#unreadBytes += chunk.length;
    if (this.#waiting !== undefined) this.#goOn();
    else if (this.#unreadBytes > INPUT_HIGH_BYTES) {
      this.#isPaused = true;
      this.#transport.pause();
    }
  };

  readonly #over = (): void => {
    this.#isOver = true;
    this.#goOn();
  };

  /** Answers the more() that waits. */
  #goOn(): void {
    const resolve = this.#waiting;
    if (resolve === undefined) return;
    this.#waiting = undefined;
    this.#turnStart = performance.now();
    resolve(!this.#isEnded && (this.#unreadBytes > 0 || this.#isWoken));
    this.#unreadBytes = 0;
    this.#isWoken = false;
  }
}
