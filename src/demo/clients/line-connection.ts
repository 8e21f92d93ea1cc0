// A TCP connection read line by line, under the small clients of the demo and of the tests.
//
// In      host and port
// Out     lines as latin1, one character an octet, without their CRLF; whole blocks of octets
// Limits  a wait for the peer ends after a minute with an error: a machine may have other work
// Never   decodes, retries or hides anything: a lone LF from the peer stays visible at the end of the line before it

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

const WAIT_MS = 60_000;

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:1025` */
export function endpointOf(text: string): Endpoint {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}

export class ConnectionClosed extends Error {}

export class LineConnection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  /** Chunks since `#received` was last put together; joined only when they are read. */
  #chunks: Buffer[] = [];
  #end: Error | undefined;
  /** Octets that have come. */
  #count = 0;
  #change: (octets: Uint8Array) => Buffer = Buffer.from;
  #changedFrom = Number.POSITIVE_INFINITY;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      const plain = Math.max(0, this.#changedFrom - this.#count);
      this.#count += chunk.length;
      if (plain < chunk.length) this.#chunks.push(chunk.subarray(0, plain), this.#change(chunk.subarray(plain)));
      else this.#chunks.push(chunk);
      this.#wake?.();
    });
    const ended = (why: string) => (): void => {
      this.#end ??= new ConnectionClosed(why);
      this.#wake?.();
    };
    socket.on('end', ended('the peer closed the connection'));
    socket.on('close', ended('the connection is closed'));
    socket.on('error', (error) => ended(error.message)());
  }

  /** `from`: the address of this machine that the peer sees. */
  static open(host: string, port: number, from?: string): Promise<LineConnection> {
    return new Promise((opened, failed) => {
      const socket = connect({ host, port, noDelay: true, ...(from === undefined ? {} : { localAddress: from }) });
      socket.once('error', failed);
      socket.once('connect', () => {
        socket.off('error', failed);
        opened(new LineConnection(socket));
      });
    });
  }

  get closed(): boolean {
    return this.#end !== undefined;
  }

  /** Written as it is; text as latin1. */
  write(bytes: string | Uint8Array): void {
    if (this.#changedFrom < Number.POSITIVE_INFINITY)
      this.#socket.write(this.#change(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes));
    else if (typeof bytes === 'string') this.#socket.write(bytes, 'latin1');
    else this.#socket.write(bytes);
  }

  /** Resolves when the system has taken all that was written. */
  flushed(bytes: string | Uint8Array): Promise<void> {
    const data = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    return new Promise((done, failed) => this.#socket.write(data, (error) => (error ? failed(error) : done())));
  }

  /** The next line. Throws ConnectionClosed when the peer has closed and nothing is left. */
  async line(waitMs = WAIT_MS): Promise<string> {
    for (;;) {
      const line = this.takeLine();
      if (line !== undefined) return line;
      await this.#more('a line', waitMs);
    }
  }

  /** The next line if it is already here. */
  takeLine(): string | undefined {
    this.#join();
    const at = this.#received.indexOf('\r\n');
    if (at < 0) return undefined;
    const line = this.#received.toString('latin1', 0, at);
    this.#received = this.#received.subarray(at + 2);
    return line;
  }

  /** Exactly so many octets, as after an IMAP literal. */
  async octets(count: number): Promise<Buffer> {
    for (;;) {
      // Joined once for all of them: a literal may have fifty megabytes.
      const here = this.#chunks.reduce((sum, chunk) => sum + chunk.length, this.#received.length);
      if (here >= count) {
        this.#join();
        const octets = this.#received.subarray(0, count);
        this.#received = this.#received.subarray(count);
        return octets;
      }
      await this.#more(`${count} octets`, WAIT_MS);
    }
  }

  /** Waits until the peer has closed; what it still said is returned. */
  async untilClosed(waitMs = WAIT_MS): Promise<string> {
    while (this.#end === undefined) await this.#wait('the end', waitMs);
    this.#join();
    const rest = this.#received.toString('latin1');
    this.#received = Buffer.alloc(0);
    return rest;
  }

  /** No more reading from the socket: a client that does not read. */
  pause(): void {
    this.#socket.pause();
  }

  /** What was written so far, and where from. */
  get sent(): { readonly port: number; readonly octets: number } {
    return { port: this.#socket.localPort!, octets: this.#socket.bytesWritten };
  }

  /** All that is written is changed from now on, and all that comes from this octet of the connection on. */
  change(change: (octets: Uint8Array) => Buffer, fromOctet: number): void {
    this.#change = change;
    this.#changedFrom = fromOctet;
    // Chunks that have been received already are those at the end.
    this.#join();
    const kept = this.#received.length - Math.max(0, this.#count - fromOctet);
    this.#received = Buffer.concat([this.#received.subarray(0, kept), change(this.#received.subarray(kept))]);
  }

  /** Our side of the connection is closed, the peer may still talk. */
  end(): void {
    this.#socket.end();
  }

  /** The same connection in TLS, when the handshake has succeeded; this one reads no more. Nothing may wait here. */
  async secured(options: { readonly servername: string; readonly ca: string }): Promise<LineConnection> {
    const socket = connectTls({ ...options, socket: this.release() });
    await once(socket, 'secureConnect');
    return new LineConnection(socket);
  }

  /** Gives the socket away; this one reads no more. Nothing may wait here. */
  release(): Socket {
    this.#socket.removeAllListeners();
    this.#socket.pause();
    this.#socket.on('error', () => {});
    return this.#socket;
  }

  destroy(): void {
    this.#end ??= new ConnectionClosed('closed here');
    this.#socket.destroy();
    this.#wake?.();
  }

  async #more(what: string, waitMs: number): Promise<void> {
    if (this.#end !== undefined) throw this.#end;
    await this.#wait(what, waitMs);
  }

  async #wait(what: string, waitMs: number): Promise<void> {
    let late: NodeJS.Timeout | undefined;
    await new Promise<void>((woken, failed) => {
      this.#wake = woken;
      late = setTimeout(() => failed(new Error(`waited ${waitMs} ms for ${what}`)), waitMs);
    });
    clearTimeout(late);
    this.#wake = undefined;
  }

  #join(): void {
    if (this.#chunks.length === 0) return;
    this.#received = Buffer.concat([this.#received, ...this.#chunks]);
    this.#chunks = [];
  }
}
