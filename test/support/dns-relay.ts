// A relay of DNS over TCP before a name server: what it lets through is the test's to say.
//
// In      connections; the name server behind it
// Out     what passes in both directions, a message at a time

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Resolves when the message may pass; false: it is lost. */
type Gate = (message: Buffer) => Promise<boolean> | boolean;

const OPCODE_UPDATE = 5;

export function isUpdate(message: Buffer): boolean {
  return ((message[2]! >> 3) & 0xf) === OPCODE_UPDATE;
}

export class DnsRelay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  asked: Gate = () => true;
  answered: Gate = () => true;

  private constructor(server: Server, behind: { readonly address: string; readonly port: number }) {
    this.#server = server;
    server.on('connection', (client) => {
      const target = connect(behind.port, behind.address);
      this.#pass(client, target, (message) => this.asked(message));
      this.#pass(target, client, (message) => this.answered(message));
    });
  }

  static async start(behind: { readonly address: string; readonly port: number }): Promise<DnsRelay> {
    const server = createServer();
    const relay = new DnsRelay(server, behind);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #pass(from: Socket, to: Socket, gate: Gate): void {
    this.#sockets.add(from);
    let buffered = Buffer.alloc(0);
    let last: Promise<void> = Promise.resolve();
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      void last.then(() => to.end());
    });
    from.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk]);
      while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
        const end = 2 + buffered.readUInt16BE(0);
        const message = buffered.subarray(0, end);
        buffered = buffered.subarray(end);
        last = last.then(async () => {
          if (await gate(message.subarray(2))) to.write(message);
        });
      }
    });
  }
}
