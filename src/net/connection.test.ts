import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { type Transferable, Worker } from 'node:worker_threads';
import { until } from '../../test/support/until.ts';
import { LineConnection } from '../demo/clients/line-connection.ts';
import { Framer } from '../wire/framer.ts';
import { Connection, type ConnectionRecord, describeConnection } from './connection.ts';
import { converse, MaskedStream } from './testing.ts';

/** Keeps all that it gets. */
class Everything {
  bytes = 0;
  text = '';

  push(chunk: Buffer): void {
    this.bytes += chunk.length;
    this.text += chunk.toString('latin1');
  }
}

async function listen(context: TestContext, accepted: (socket: Socket) => void): Promise<Server> {
  const sockets = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    accepted(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** Both ends of one connection; ours has not been read from. */
async function pair(context: TestContext): Promise<{ client: Socket; socket: Socket }> {
  const accepted = Promise.withResolvers<Socket>();
  const server = await listen(context, accepted.resolve);
  const client = connect({ port: portOf(server), host: '127.0.0.1', noDelay: true });
  client.on('error', () => {});
  context.after(() => client.destroy());
  return { client, socket: await accepted.promise };
}

async function open(context: TestContext): Promise<{ client: Socket; connection: Connection<Everything> }> {
  const { client, socket } = await pair(context);
  return { client, connection: new Connection(socket, describeConnection(socket, 'test'), () => new Everything()) };
}

/** Until what it counts does not change any more. */
async function settled(count: () => number): Promise<number> {
  let last = -1;
  while (last !== count()) {
    last = count();
    await new Promise((turn) => setTimeout(turn, 200));
  }
  return last;
}

test('more() says that there is more, each time, and at the end that there is none', async (context) => {
  const { client, connection } = await open(context);
  client.write('a');
  assert.equal(await connection.more(), true);
  assert.equal(connection.framer.text, 'a');
  client.write('b');
  await until('b', () => connection.framer.text === 'ab');
  // It was received while no more() waited.
  assert.equal(await connection.more(), true);
  const more = connection.more();
  client.end('c');
  assert.equal(await more, true);
  assert.equal(await connection.more(), false);
  assert.equal(connection.framer.text, 'abc');
  assert.equal(connection.gone, false);
});

test('wake() ends a wait, or the next one where none is under way, also after a half-close', async (context) => {
  const { client, connection } = await open(context);
  const more = connection.more();
  connection.wake();
  assert.equal(await more, true);
  connection.wake();
  assert.equal(await connection.more(), true);
  client.end();
  assert.equal(await connection.more(), false);
  connection.wake();
  assert.equal(await connection.more(), true);
  assert.equal(await connection.more(), false);
});

test('a client that half-closes gets all answers', async (context) => {
  const { client, connection } = await open(context);
  client.end('question');
  while (await connection.more());
  connection.output.write('answer');
  connection.end();
  let received = '';
  for await (const chunk of client) received += chunk;
  assert.equal(received, 'answer');
});

test('a busy session is not read ahead for; all is there when it goes on', async (context) => {
  const { client, connection } = await open(context);
  const size = 8 * 1024 * 1024;
  client.end(Buffer.alloc(size));
  const ahead = await settled(() => connection.framer.bytes);
  assert.ok(ahead >= 128 * 1024 && ahead < 512 * 1024, `${ahead} octets were read ahead`);
  while (await connection.more());
  assert.equal(connection.framer.bytes, size);
});

test('breathe() waits for a peer that does not read, and no longer than it has to', async (context) => {
  const { client, connection } = await open(context);
  client.pause();
  let written = 0;
  const writing = (async () => {
    while (written < 64) {
      connection.output.writeBytes(Buffer.alloc(1024 * 1024));
      written++;
      await connection.breathe();
    }
    connection.end();
  })();
  assert.ok((await settled(() => written)) < 40, `${written} MB were written ahead`);
  let received = 0;
  client.on('data', (chunk) => {
    received += chunk.length;
  });
  client.resume();
  await writing;
  await once(client, 'close');
  assert.equal(received, 64 * 1024 * 1024);
});

test('breathe() gives others a turn after some time, and costs none before', async (context) => {
  const { client, connection } = await open(context);
  client.write('x');
  await connection.more();
  const start = performance.now();
  const breath = connection.breathe();
  if (performance.now() - start < 1) assert.equal(breath, undefined);
  let turns = 0;
  setImmediate(() => turns++);
  while (performance.now() - start < 20);
  assert.notEqual(connection.breathe(), undefined);
  await connection.breathe();
  assert.equal(turns, 1);
});

test('a wait for a peer that never reads ends when it is gone', async (context) => {
  const { client, connection } = await open(context);
  client.pause();
  connection.output.writeBytes(Buffer.alloc(7 * 1024 * 1024));
  const breath = connection.breathe();
  assert.notEqual(breath, undefined);
  client.resetAndDestroy();
  await breath;
  assert.equal(connection.gone, true);
});

test('a peer that asks and never reads is cut off at a bound', async (context) => {
  const { client, connection } = await open(context);
  client.pause();
  for (let i = 0; i < 40 && !connection.gone; i++) {
    connection.output.writeBytes(Buffer.alloc(1024 * 1024));
    connection.output.flush();
  }
  assert.equal(connection.gone, true);
});

test('the last words arrive although the peer goes on sending', async (context) => {
  const { client, connection } = await open(context);
  client.write(Buffer.alloc(4 * 1024 * 1024));
  await connection.more();
  const before = connection.framer.bytes;
  connection.output.write('goodbye');
  connection.end();
  assert.equal(await connection.more(), false);
  let received = '';
  for await (const chunk of client) received += chunk;
  assert.equal(received, 'goodbye');
  assert.equal(connection.framer.bytes, before);
});

test('a peer that does not take the last words is cut off', async (context) => {
  const { client, connection } = await open(context);
  client.pause();
  const closed = new Promise<void>((resolve) => connection.onClose(resolve));
  connection.output.writeBytes(Buffer.alloc(7 * 1024 * 1024));
  connection.end(100);
  await closed;
});

test('there is one deadline: set again it is moved, also to the front; the end clears it', async (context) => {
  const { connection } = await open(context);
  const calls: string[] = [];
  connection.deadline(60_000, () => calls.push('too late'));
  const late = Promise.withResolvers<void>();
  connection.deadline(20, () => {
    calls.push('late');
    late.resolve();
  });
  await late.promise;
  connection.deadline(20, () => calls.push('never'));
  connection.end();
  connection.deadline(20, () => calls.push('never'));
  await new Promise((turn) => setTimeout(turn, 100));
  assert.deepEqual(calls, ['late']);
});

test('a peer that leaves without a word ends a wait, and the listeners of its end are called', async (context) => {
  const { client, connection } = await open(context);
  const closed = new Promise<void>((resolve) => connection.onClose(resolve));
  const more = connection.more();
  client.resetAndDestroy();
  assert.equal(await more, false);
  await closed;
  assert.equal(connection.gone, true);
});

test('what has to end in a time is woken, and closed where it is at something else; one that ends is left alone', async (context) => {
  const waiting = await open(context);
  const more = waiting.connection.more();
  waiting.connection.endWithin(60_000);
  assert.equal(await more, true);
  waiting.connection.output.write('bye');
  waiting.connection.end();
  const [last] = await once(waiting.client, 'data');
  assert.equal(String(last), 'bye');

  const busy = await open(context);
  busy.connection.endWithin(10);
  await once(busy.client, 'close');
  assert.ok(busy.connection.gone);

  let called = 0;
  busy.connection.onClose(() => called++);
  assert.equal(called, 1, 'a connection that is closed already has nobody to tell later');
});

test('loopback and Unix sockets are private, other addresses are not', async (context) => {
  const { socket } = await pair(context);
  assert.equal(describeConnection(socket, 'test').isPrivate, true);
  const elsewhere = { localAddress: '192.0.2.1', localPort: 25, remoteAddress: '::ffff:192.0.2.7', remotePort: 4711 };
  const record = describeConnection(elsewhere as Socket, 'test');
  assert.deepEqual([record.isPrivate, record.peerAddress], [false, '192.0.2.7']);
  // Its peer has left before it was looked at.
  assert.equal(describeConnection({ localAddress: '192.0.2.1', localPort: 25 } as Socket, 'test').isPrivate, false);
  const path = join(tmpdir(), `waypost-connection-${process.pid}.sock`);
  const described = Promise.withResolvers<ConnectionRecord>();
  const server = createServer((accepted) => described.resolve(describeConnection(accepted, 'test'))).listen(path);
  await once(server, 'listening');
  const client = connect(path);
  assert.equal((await described.promise).isPrivate, true);
  client.destroy();
  server.close();
});

test('the transport is exchanged: what waits is dropped, all that follows arrives', async (context) => {
  const { client, socket } = await pair(context);
  const connection = new Connection(socket, describeConnection(socket, 'test'), () => new Framer());
  const conversation = converse(connection, async (raw) => new MaskedStream(raw));
  const lines = Array.from({ length: 10_000 }, (_, i) => `line ${i}`);
  // Behind STARTTLS in one packet: it was not sent through the new transport.
  client.write('hello\r\nSTARTTLS\r\ninjected\r\ninj');
  let received = '';
  client.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
  });
  await until('the answer to STARTTLS', () => received.includes('STARTTLS'));
  assert.equal(received, 'hello in private\r\nSTARTTLS in private\r\n');
  client.removeAllListeners('data');
  client.pause();
  const above = new MaskedStream(client);
  above.end(lines.map((line) => `${line}\r\n`).join(''));
  let answers = '';
  for await (const chunk of above) answers += chunk;
  assert.equal(answers, lines.map((line) => `${line} in private\r\n`).join(''));
  await conversation;
});

test('octets that were read ahead of the exchange are dropped too', async (context) => {
  const { client, connection } = await open(context);
  client.write(Buffer.alloc(1024 * 1024));
  await settled(() => connection.framer.bytes);
  client.write('plain');
  await connection.replaceTransport(async (raw) => raw);
  // What the kernel still held is the new transport's: it was not read before.
  const rest = await settled(() => connection.framer.bytes);
  assert.ok(rest < 1024 * 1024, `${rest} octets`);
});

test('an exchange that fails closes the connection', async (context) => {
  const { client, connection } = await open(context);
  await assert.rejects(
    connection.replaceTransport(async () => {
      throw new Error('no handshake');
    }),
    /no handshake/,
  );
  await once(client, 'close');
  assert.equal(connection.gone, true);
  assert.equal(await connection.more(), false);
});

const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgHhzUKFucB84VEaR5
4BDLmlmRgYPkd4L2TbW/LzJhyDuhRANCAATytQKOMRNCT+S28CJn8VQWGI06fkPa
3xAiTyi9gUISpouWhMQHux0oqq22bGadCyvNStbbaBhZ/Vzzz/mqyhb7
-----END PRIVATE KEY-----`;
/** For mail.example, made for this test; good until 2126. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBnjCCAUSgAwIBAgIUfgXkYZb6HfNZYkrtKlQ5TCfg7PgwCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMbWFpbC5leGFtcGxlMCAXDTI2MTEyNjEyMDg1MloYDzIxMjYx
MTAyMTIwODUyWjAXMRUwEwYDVQQDDAxtYWlsLmV4YW1wbGUwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAATytQKOMRNCT+S28CJn8VQWGI06fkPa3xAiTyi9gUISpouW
hMQHux0oqq22bGadCyvNStbbaBhZ/Vzzz/mqyhb7o2wwajAdBgNVHQ4EFgQU/b7S
/pOlNEw4pP4oRIylgVSIKG8wHwYDVR0jBBgwFoAU/b7S/pOlNEw4pP4oRIylgVSI
KG8wDwYDVR0TAQH/BAUwAwEB/zAXBgNVHREEEDAOggxtYWlsLmV4YW1wbGUwCgYI
KoZIzj0EAwIDSAAwRQIhALTFajxxkc06fc+1u+uKtgjSJm/UJZLDY5KMlB2qmZ5X
AiA2theW7EKqUEGjizISl5gdMsg3gCkNlVK9+XHV9U4hRQ==
-----END CERTIFICATE-----`;

/** A thread that gets its sockets from this one, as protocol threads do. */
async function openThread(context: TestContext): Promise<{ port: number; reports: string[] }> {
  const workerData = { key: KEY, cert: CERTIFICATE };
  const thread = new Worker(new URL('./testing.ts', import.meta.url), { workerData });
  const reports: string[] = [];
  thread.on('message', (report: string) => reports.push(report));
  const server = await listen(context, (socket) => thread.postMessage(socket, [socket as unknown as Transferable]));
  context.after(() => thread.terminate());
  return { port: portOf(server), reports };
}

test('TLS begins in the middle of a connection, in the thread that the socket was handed to', async (context) => {
  const { port, reports } = await openThread(context);
  const lines = await LineConnection.open('127.0.0.1', port);
  lines.write('hello\r\nSTARTTLS\r\ninjected\r\n');
  assert.equal(await lines.line(), 'hello');
  assert.equal(await lines.line(), 'STARTTLS');
  const socket = lines.release();
  const secure = connectTls({ socket, ca: CERTIFICATE, servername: 'mail.example' });
  await once(secure, 'secureConnect');
  assert.equal(secure.authorized, true);
  const large = 'x'.repeat(900);
  const sent = Array.from({ length: 2000 }, (_, i) => `${i} ${large}`);
  secure.end(`${sent.join('\r\n')}\r\n`);
  let received = '';
  for await (const chunk of secure) received += chunk;
  assert.equal(received, sent.map((line) => `${line} in private over TLS\r\n`).join(''));
  await until('the end', () => reports.length > 0);
  assert.deepEqual(reports, ['closed']);
});

test('a handshake that is none, or breaks off, closes the connection', async (context) => {
  const { port, reports } = await openThread(context);
  for (const said of ['this is no handshake\r\n'.repeat(20), undefined]) {
    const lines = await LineConnection.open('127.0.0.1', port);
    lines.write('STARTTLS\r\n');
    assert.equal(await lines.line(), 'STARTTLS');
    if (said === undefined) lines.destroy();
    else {
      lines.write(said);
      await lines.untilClosed();
    }
    await until('the end', () => reports.length === 2);
    assert.ok(reports.splice(0).includes('closed'));
  }
});
