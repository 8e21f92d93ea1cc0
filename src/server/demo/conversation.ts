// The demo's end of a text protocol: lines to the server, its lines and blocks back. Shared by SMTP and IMAP.
//
// Limits  LINE_BYTES a line; nothing is kept that was not asked for
// Never   outlives its signal

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Framer } from '../../wire/framer.ts';

const LINE_BYTES = 64 * 1024;

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** `127.0.0.1:1025` */
export function endpointOf(text: string): Endpoint {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}

/** A connected socket that ends with the signal. */
export async function openSocket({ host, port }: Endpoint, signal: AbortSignal): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true });
  signal.addEventListener('abort', () => socket.destroy(), { once: true });
  await once(socket, 'connect', { signal });
  return socket;
}

export class Conversation {
  readonly #socket: Socket;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #framer = new Framer();

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  static async open(endpoint: Endpoint, signal: AbortSignal): Promise<Conversation> {
    return new Conversation(await openSocket(endpoint, signal));
  }

  say(text: string): void {
    this.#socket.write(text, 'latin1');
  }

  async line(): Promise<string> {
    for (;;) {
      const line = this.#framer.line(LINE_BYTES);
      if (line?.kind === 'line') return line.text;
      if (line !== undefined) throw new Error(`the server's line is ${line.reason}`);
      await this.#more();
    }
  }

  async block(length: number): Promise<Buffer> {
    for (;;) {
      const block = this.#framer.block(length);
      if (block !== undefined) return block;
      await this.#more();
    }
  }

  end(): void {
    this.#socket.destroy();
  }

  async #more(): Promise<void> {
    const { done, value } = await this.#chunks.next();
    if (done === true) throw new Error('the server has closed the connection');
    this.#framer.push(value);
  }
}
