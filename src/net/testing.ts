// For tests of connections: a stream over another stream, and a thread that gets sockets as a protocol thread does.

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import { Framer } from '../wire/framer.ts';
import type { ServedCertificate } from './certificate-choice.ts';
import { Connection, describeConnection } from './connection.ts';
import { makeAuthority, makeCertificate } from './local-certificate.ts';
import { TlsServer } from './tls.ts';

export function masked(chunk: Uint8Array): Buffer {
  return Buffer.from(chunk.map((octet) => octet ^ 0x5a));
}

/** Each octet of the stream below is another one above, in both directions. It takes the place of TLS. */
export class MaskedStream extends Duplex {
  readonly #raw: Duplex;

  constructor(raw: Duplex) {
    super({ allowHalfOpen: true });
    this.#raw = raw;
    raw.on('data', (chunk: Buffer) => {
      if (!this.push(masked(chunk))) raw.pause();
    });
    raw.on('end', () => this.push(null));
    raw.on('error', (error) => this.destroy(error));
    raw.on('close', () => this.destroy());
  }

  override _read(): void {
    this.#raw.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#raw.write(masked(chunk))) done();
    else this.#raw.once('drain', done);
  }

  override _final(done: () => void): void {
    this.#raw.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#raw.destroy();
    done(error);
  }
}

/**
 * Puts a MaskedStream in the place of a connection's socket when `octets` have come from the peer. Resolves with the number
 * of octets that were written before.
 */
export async function maskConnection<F extends { push(chunk: Buffer): void }>(
  connection: Connection<F>,
  socket: Socket,
  octets: number,
): Promise<number> {
  while (socket.bytesRead < octets) await new Promise((turn) => setImmediate(turn));
  let written = 0;
  await connection.replaceTransport(async (raw) => {
    written = socket.bytesWritten;
    return new MaskedStream(raw);
  });
  return written;
}

/** A server with one certificate, whatever name is asked for. */
export function testTlsServer(identity: { readonly key: string; readonly cert: string }): TlsServer {
  const server = new TlsServer({ hostname: 'mail.example', isServerName: () => false });
  const local: ServedCertificate = {
    source: 'local',
    names: [],
    chain: identity.cert,
    key: identity.key,
    keyType: 'ec',
    notBefore: 0,
    notAfter: Number.POSITIVE_INFINITY,
  };
  const ticketKeys = Buffer.alloc(48, 1);
  server.serve({ hostname: 'mail.example', certificates: [], local, ticketKeys, clientCa: undefined });
  return server;
}

export interface TestTls {
  readonly server: TlsServer;
  /** What its certificate, for `localhost`, is signed by. */
  readonly ca: string;
}

let testTls: Promise<TestTls> | undefined;

/** One for all doors of the test. */
export function openTestTls(): Promise<TestTls> {
  testTls ??= makeTestTls();
  return testTls;
}

async function makeTestTls(): Promise<TestTls> {
  const now = Date.now();
  const authority = await makeAuthority('mail.example', now);
  const names = { dns: ['localhost'], ip: ['127.0.0.1'] };
  const { certificate, key } = await makeCertificate(authority, names, now);
  return { server: testTlsServer({ cert: certificate, key }), ca: authority.certificate };
}

/** Says of each line what it was; STARTTLS exchanges the transport, QUIT ends. */
export async function converse(
  connection: Connection<Framer>,
  upgrade: (raw: Duplex) => Promise<Duplex>,
): Promise<void> {
  do {
    for (let line = connection.framer.line(1000); line !== undefined; line = connection.framer.line(1000)) {
      const text = line.kind === 'line' ? line.text : line.reason;
      const { isPrivate, tls } = connection.record;
      connection.output.write(`${text}${isPrivate ? ' in private' : ''}${tls === undefined ? '' : ' over TLS'}\r\n`);
      if (text === 'STARTTLS') await connection.replaceTransport(upgrade);
      if (text === 'QUIT') return connection.end();
    }
  } while (await connection.more());
  connection.end();
}

if (!isMainThread) {
  const server = testTlsServer(workerData);
  parentPort?.on('message', (socket: Socket) => {
    const record = { ...describeConnection(socket, 'lines'), isPrivate: false };
    const connection = new Connection(socket, record, () => new Framer());
    connection.onClose(() => parentPort?.postMessage('closed'));
    converse(connection, (raw) => server.upgrade(raw, { listener: 'lines', isImplicit: false })).catch((error) =>
      parentPort?.postMessage(String(error)),
    );
  });
}
