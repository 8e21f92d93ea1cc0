// COMPRESS=DEFLATE between a client of its own and the door. RFC 4978, RFC 8437 §3

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { constants, createDeflateRaw, createInflateRaw } from 'node:zlib';
import { until } from '../../../test/support/until.ts';
import { openTestImap, type TestImap } from './testing.ts';

let imap: TestImap;
before(async () => {
  imap = await openTestImap();
  await imap.addAccount('alice@acme.example', 'secret');
});
after(() => imap?.close());

/** Says what it is given, in plain or deflated, and keeps what it hears. */
class Client {
  readonly socket: Socket;
  isClosed = false;
  #heard = '';
  #deflate: ReturnType<typeof createDeflateRaw> | undefined;
  #inflate: ReturnType<typeof createInflateRaw> | undefined;
  readonly #hear = (chunk: Buffer): void => {
    this.#heard += chunk.toString('latin1');
  };

  constructor() {
    this.socket = connect({ host: imap.host, port: imap.port });
    this.socket.on('data', this.#hear);
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.isClosed = true;
    });
  }

  static async loggedIn(): Promise<Client> {
    const client = new Client();
    await client.say('a LOGIN alice@acme.example secret\r\n', /^a OK /m);
    return client;
  }

  static async compressed(): Promise<Client> {
    const client = await Client.loggedIn();
    await client.say('b COMPRESS DEFLATE\r\n', /^b OK /m);
    client.#deflate = createDeflateRaw({ flush: constants.Z_SYNC_FLUSH });
    client.#deflate.pipe(client.socket);
    client.#inflate = createInflateRaw();
    client.#inflate.on('data', client.#hear);
    client.socket.off('data', client.#hear);
    client.socket.pipe(client.#inflate);
    return client;
  }

  /** Gives all that has been heard since the last time. */
  async say(text: string | Buffer, answer: RegExp): Promise<string> {
    (this.#deflate ?? this.socket).write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
    await until(String(answer), () => answer.test(this.#heard), 60_000);
    const heard = this.#heard;
    this.#heard = '';
    return heard;
  }

  /** The last octets of the server's stream may come as if they were text: they stand before its next reply. */
  plainAgain(): void {
    this.socket.unpipe(this.#inflate!);
    this.#deflate!.unpipe(this.socket);
    this.#deflate = undefined;
    this.socket.on('data', this.#hear);
    this.socket.resume();
  }
}

const isCounted = (connections: number): Promise<void> =>
  until(`${connections} compressed`, () => imap.door.compressed.connections === connections, 60_000);

test('a session goes on compressed, both ways, byte for byte', async () => {
  const client = await Client.compressed();
  const message = `Subject: x\r\n\r\n${'0123456789abcdef\r\n'.repeat(50_000)}`;
  await client.say(`c APPEND INBOX {${message.length}+}\r\n${message}\r\nd SELECT INBOX\r\n`, /^d OK /m);
  const heard = await client.say('e FETCH * (BODY.PEEK[])\r\n', /^e OK /m);
  assert.ok(heard.includes(message));
  assert.ok(client.socket.bytesRead < message.length / 5, `${client.socket.bytesRead} octets came`);
  assert.match(await client.say('f COMPRESS DEFLATE\r\n', /^f /m), /^f BAD \[COMPRESSIONACTIVE\] /m);
  assert.match(await client.say('g LOGOUT\r\n', /^g OK /m), /^\* BYE /m);
  await until('the end', () => client.isClosed, 60_000);
  await isCounted(0);
});

test('it is for who has logged in, once, and DEFLATE alone', async () => {
  const client = new Client();
  await client.say('a COMPRESS DEFLATE\r\n', /^a BAD /m);
  await client.say('b LOGIN alice@acme.example secret\r\nc COMPRESS LZ4\r\n', /^c NO /m);
  await client.say('d COMPRESS\r\n', /^d BAD /m);
  client.socket.destroy();
  imap.door.compressed.connections = 2000;
  const late = await Client.loggedIn();
  await late.say('e COMPRESS DEFLATE\r\n', /^e NO \[LIMIT\] /m);
  imap.door.compressed.connections = 0;
  await late.say('f COMPRESS DEFLATE\r\ng NOOP\r\n', /^f BAD .*\r\n\* BYE /m);
  await until('the end', () => late.isClosed, 60_000);
});

test('what is no DEFLATE closes the connection', async () => {
  const client = await Client.loggedIn();
  await client.say('b COMPRESS DEFLATE\r\n', /^b OK /m);
  client.socket.write('c NOOP\r\nd NOOP\r\n');
  await until('the end', () => client.isClosed, 60_000);
  await isCounted(0);
});

test('a bomb meets the limits of a line and of a message, as plain text does', async () => {
  const client = await Client.compressed();
  await client.say(Buffer.alloc(64 * 1024 * 1024, 'x'), / BAD Line too long/);
  await client.say('\r\nc NOOP\r\n', /^c OK /m);
  await client.say('d APPEND INBOX {4294967295}\r\n', /^d NO \[TOOBIG\] /m);
  client.socket.destroy();
  await isCounted(0);
});

test('UNAUTHENTICATE ends it behind the reply, and another login goes on in plain', async () => {
  const client = await Client.compressed();
  await client.say('c SELECT INBOX\r\nd UNAUTHENTICATE\r\n', /^d OK /m);
  client.plainAgain();
  await client.say('e NOOP\r\nf LOGIN alice@acme.example secret\r\n', /^f OK /m);
  await client.say('g COMPRESS DEFLATE\r\n', /^g BAD \[COMPRESSIONACTIVE\] /m);
  await client.say('h LOGOUT\r\n', /^h OK /m);
  await until('the end', () => client.isClosed, 60_000);
  await isCounted(0);
});
