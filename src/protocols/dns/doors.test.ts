// The two doors over real sockets, and `dig` as the usual client.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { peer } from '../../../test/support/peers.ts';
import { until } from '../../../test/support/until.ts';
import { silentLog } from '../../base/log.ts';
import { describeConnection } from '../../net/connection.ts';
import { DnsClient } from '../../net/dns-client.ts';
import { decodeMessage, encodeMessage } from '../../wire/dns/message.ts';
import { queryMessage } from '../../wire/dns/testing.ts';
import { lookUp } from '../../zones/records.ts';
import { namesOf, settingsOf } from '../../zones/testing.ts';
import { type Answer, createAnswer } from './answer.ts';
import { Cookies } from './cookies.ts';
import { serveDnsTcp } from './tcp-session.ts';
import { bindDnsUdp, serveDnsUdp } from './udp.ts';

const names = namesOf(['acme.example'], 5);
// More addresses than 512 octets hold.
const addresses = Array.from({ length: 40 }, (_, i) => `192.0.2.${i + 1}`);
const zone = { names, settings: settingsOf('mail.acme.example', addresses) };

const answerOfZone = createAnswer({
  lookUp: (name, type) => lookUp(name, type, zone),
  revision: () => 1,
  cookies: new Cookies(new Uint8Array(32), Date.now),
  log: silentLog,
});

/** Both doors on one port of 127.0.0.1, closed after the test. */
async function open(context: TestContext, idleMs = 10_000, answer: Answer = answerOfZone): Promise<number> {
  const parts = { answer, log: silentLog };
  // UDP's free port may be taken for TCP, by whatever else runs on the machine: then another.
  for (;;) {
    const socket = await bindDnsUdp('127.0.0.1', 0);
    const { port } = socket.address();
    const tcp = createServer(
      (connection) =>
        void serveDnsTcp(
          { ...parts, idleMs, transferIdleMs: idleMs },
          connection,
          describeConnection(connection, 'dns'),
        ),
    );
    const isBound = await new Promise((settled) => {
      tcp.once('error', () => settled(false));
      tcp.listen(port, '127.0.0.1', () => settled(true));
    });
    if (!isBound) {
      socket.close();
      continue;
    }
    const udp = serveDnsUdp({ ...parts, socket });
    context.after(async () => {
      tcp.close();
      await udp.close();
    });
    return port;
  }
}

function framed(octets: Uint8Array): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(octets.length);
  return Buffer.concat([length, octets]);
}

/** All that the peer sends until it closes. */
async function received(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  // Not once(): a reset is an end like another here.
  await new Promise((gone) => socket.once('close', gone));
  return Buffer.concat(chunks);
}

function messages(octets: Buffer): ReturnType<typeof decodeMessage>[] {
  const all: ReturnType<typeof decodeMessage>[] = [];
  for (let at = 0; at < octets.length; ) {
    const length = octets.readUInt16BE(at);
    all.push(decodeMessage(octets.subarray(at + 2, at + 2 + length)));
    at += 2 + length;
  }
  return all;
}

const query = (id: number, name = 'acme.example') => framed(encodeMessage(queryMessage(id, name, 'MX')));

test('a datagram gets a datagram, garbage gets none, and the next is answered', async (context) => {
  const port = await open(context);
  const client = await bindDnsUdp('127.0.0.1', 0);
  context.after(() => client.close());
  const [first] = await new Promise<[Buffer]>((got) => {
    client.once('message', (...message) => got([message[0]]));
    client.send(Buffer.from('hello'), port, '127.0.0.1');
    client.send(encodeMessage(queryMessage(1, 'acme.example', 'MX', { isResponse: true })), port, '127.0.0.1');
    client.send(new Uint8Array(0), port, '127.0.0.1');
    client.send(encodeMessage(queryMessage(2, 'acme.example', 'MX')), port, '127.0.0.1');
  });
  assert.equal(decodeMessage(first).id, 2);
});

test('queries over TCP are answered in order, however they are cut and joined', async (context) => {
  const port = await open(context);
  const octets = Buffer.concat([query(1), query(2, 'x.acme.example'), query(3, 'other.example')]);
  for (const size of [1, 2, 3, 50, octets.length]) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const all = received(socket);
    for (let at = 0; at < octets.length; at += size) {
      await new Promise((written) => socket.write(octets.subarray(at, at + size), written));
    }
    socket.end();
    assert.deepEqual(
      messages(await all).map(({ id, rcode }) => [id, rcode]),
      [
        [1, 0],
        [2, 3],
        [3, 5],
      ],
    );
  }
});

test('many queries sent before the first answer is read are all answered', async (context) => {
  const port = await open(context);
  const socket = connect({ port, host: '127.0.0.1' });
  const all = received(socket);
  const count = 5000;
  socket.end(Buffer.concat(Array.from({ length: count }, (_, i) => query(i))));
  assert.deepEqual(
    messages(await all).map(({ id }) => id),
    Array.from({ length: count }, (_, i) => i),
  );
});

test('a client that never reads is not read from for ever, and is dropped', async (context) => {
  const port = await open(context, 300);
  const socket = connect({ port, host: '127.0.0.1' });
  socket.pause();
  const flood = Buffer.concat(Array.from({ length: 2000 }, (_, i) => query(i, 'mail.acme.example')));
  socket.on('error', () => {});
  const closed = new Promise((gone) => socket.once('close', gone));
  const write = (): void => void (socket.destroyed || socket.write(flood, (error) => error || write()));
  write();
  await closed;
});

test('a silent client, and one that sends an octet now and then, is dropped', async (context) => {
  const port = await open(context, 200);
  const silent = connect({ port, host: '127.0.0.1' });
  const slow = connect({ port, host: '127.0.0.1', noDelay: true });
  slow.on('error', () => {});
  const drip = setInterval(() => slow.write(Buffer.from([0])), 20);
  const ends = [received(silent), received(slow)];
  assert.deepEqual(
    (await Promise.all(ends)).map((octets) => octets.length),
    [0, 0],
  );
  clearInterval(drip);
});

test('a response, or less than a header, ends the connection; queries before it are answered', async (context) => {
  const port = await open(context);
  for (const last of [encodeMessage(queryMessage(9, 'acme.example', 'MX', { isResponse: true })), Buffer.alloc(3)]) {
    const socket = connect({ port, host: '127.0.0.1' });
    const all = received(socket);
    socket.write(Buffer.concat([query(1), framed(last), query(2)]));
    assert.deepEqual(
      messages(await all).map(({ id }) => id),
      [1],
    );
  }
});

test('a length that no query needs is FORMERR at once, and the end', async (context) => {
  const port = await open(context);
  const socket = connect({ port, host: '127.0.0.1' });
  const all = received(socket);
  const start = encodeMessage(queryMessage(77, 'acme.example', 'MX'));
  socket.write(Buffer.concat([Buffer.from([0xff, 0xff]), start]));
  assert.deepEqual(
    messages(await all).map(({ id, rcode }) => [id, rcode]),
    [[77, 1]],
  );
});

test('malformed queries are answered each, up to a number', async (context) => {
  const port = await open(context);
  const socket = connect({ port, host: '127.0.0.1' });
  const all = received(socket);
  const bad = framed(Uint8Array.from([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12]));
  socket.write(Buffer.concat([query(1), ...new Array(50).fill(bad)]));
  const answers = messages(await all);
  assert.equal(answers.length, 21);
  assert.ok(answers.slice(1).every(({ rcode }) => rcode === 1));
});

test('the resolver reads our own door: what is published can be observed', async (context) => {
  const port = await open(context);
  const resolver = new DnsClient({ servers: [`127.0.0.1:${port}`] });
  context.after(() => resolver.close());
  const exchanges = [{ preference: 10, exchange: 'mail.acme.example' }];
  assert.deepEqual(await resolver.mx('acme.example'), { result: 'found', exchanges });
  assert.deepEqual(await resolver.mx('mail.acme.example'), { result: 'no-data' });
  assert.deepEqual(await resolver.mx('nobody.acme.example'), { result: 'no-name' });
  assert.equal((await resolver.mx('foreign.example')).result, 'unavailable');
  const found = await resolver.addresses('mail.acme.example');
  assert.ok(found.result === 'found');
  // Of a set the resolver reads twenty.
  assert.equal(found.addresses.length, 20);
  assert.ok(found.addresses.every((address) => addresses.includes(address)));
});

/** The query with id 1 has `count` messages for an answer, each with its number at its end; all others have one. */
function seriesOf(count: number): { answer: Answer; made: number; isOver: boolean } {
  const strings = new Array<string>(40).fill('x'.repeat(250));
  const record = { name: 'acme.example', class: 1, ttl: 300, type: 'TXT', strings } as const;
  const message = queryMessage(1, 'acme.example', 'TXT', { isResponse: true });
  const template = encodeMessage({ ...message, answers: [record], edns: undefined });
  const series = { answer: answerOfZone, made: 0, isOver: false };
  function* all(): Generator<Uint8Array> {
    try {
      while (series.made < count) {
        const octets = Buffer.from(template);
        octets.writeUInt32BE(series.made++, octets.length - 4);
        yield octets;
      }
    } finally {
      series.isOver = true;
    }
  }
  series.answer = (octets, from) => {
    assert.deepEqual([from.sizeBytes, from.peerAddress], [from.transport === 'tcp' ? 65_535 : 1232, '127.0.0.1']);
    return octets[1] === 1 ? all() : answerOfZone(octets, from);
  };
  return series;
}

test('a series of messages is made as its client reads it, and what was asked after it is answered after it', async (context) => {
  const series = seriesOf(2000);
  const port = await open(context, 10_000, series.answer);
  const socket = connect({ port, host: '127.0.0.1' });
  socket.pause();
  socket.write(Buffer.concat([query(2), query(1), query(3)]));
  // Until the kernel takes no more of them.
  let before = -1;
  while (before !== series.made || before === 0) {
    before = series.made;
    await new Promise((later) => setTimeout(later, 100));
  }
  assert.ok(before < 2000, `${before} messages for a client that does not read`);
  const all = received(socket.resume());
  socket.end();
  const octets = await all;
  const order: string[] = [];
  for (let at = 0; at < octets.length; ) {
    const end = at + 2 + octets.readUInt16BE(at);
    const id = octets.readUInt16BE(at + 2);
    order.push(id === 1 ? `message ${octets.readUInt32BE(end - 4)}` : `query ${id}`);
    at = end;
  }
  assert.deepEqual(order, ['query 2', ...Array.from({ length: 2000 }, (_, i) => `message ${i}`), 'query 3']);
  assert.equal(series.isOver, true);
});

test('a series ends with its connection', async (context) => {
  const series = seriesOf(1_000_000);
  const socket = connect({ port: await open(context, 10_000, series.answer), host: '127.0.0.1' });
  socket.write(query(1));
  await new Promise((resolve) => socket.once('data', resolve));
  socket.destroy();
  while (!series.isOver) await new Promise((later) => setTimeout(later, 10));
  assert.ok(series.made < 1_000_000);
});

test('over UDP a series is refused: its first message alone would pass for all of it', async (context) => {
  const port = await open(context, 10_000, seriesOf(2).answer);
  const client = await bindDnsUdp('127.0.0.1', 0);
  context.after(() => client.close());
  const octets = await new Promise<Buffer>((got) => {
    client.once('message', (message) => got(message));
    client.send(encodeMessage(queryMessage(1, 'acme.example', 'AXFR')), port, '127.0.0.1');
  });
  const { id, rcode, edns } = decodeMessage(octets);
  assert.deepEqual([id, rcode, edns?.version], [1, 5, 0]);
});

const dig = peer('dig');

test('dig reads our answers over UDP and TCP', { skip: dig.skip }, async (context) => {
  const port = await open(context);
  const run = async (...options: string[]) => {
    const common = ['@127.0.0.1', '-p', String(port), '+tries=1', '+time=30', '+nocookie', '+nostats'];
    return (await promisify(execFile)(dig.path, [...common, ...options])).stdout;
  };
  assert.equal(await run('+short', 'acme.example', 'MX'), '10 mail.acme.example.\n');
  assert.equal(await run('+short', '+tcp', 'ACME.example', 'NS'), 'mail.acme.example.\n');
  assert.match(
    await run('+short', 'acme.example', 'SOA'),
    /^mail\.acme\.example\. postmaster\.mail\.acme\.example\. 5 /,
  );
  const negative = await run('nobody.acme.example', 'A');
  assert.match(negative, /status: NXDOMAIN/);
  assert.match(negative, /flags: qr aa rd;/);
  assert.match(negative, /acme\.example\.\t+60\tIN\tSOA/);
  assert.match(await run('acme.example', 'A'), /status: NOERROR(.|\n)*ANSWER: 0, AUTHORITY: 1/);
  assert.match(await run('www.example', 'A'), /status: REFUSED/);
  assert.match(
    await run('+opcode=9', '+edns=0', 'acme.example', 'SOA'),
    /status: NOTIMP(.|\n)*; EDNS: version: 0, flags:; udp: 1232/,
  );
  assert.match(await run('+edns=1', '+noednsneg', 'acme.example', 'MX'), /status: BADVERS/);
  assert.match(await run('acme.example', 'AXFR'), /Transfer failed/);
  // dig says so only of a server's part that has its own in front of it.
  assert.match(await run('+cookie', 'acme.example', 'MX'), /; COOKIE: [0-9a-f]{48} \(good\)/);
  // 40 addresses: cut at 512 octets without EDNS(0), whole with it, and dig itself goes on to TCP.
  assert.match(await run('+noedns', '+ignore', 'mail.acme.example', 'A'), /flags: qr aa tc rd/);
  assert.match(await run('mail.acme.example', 'A'), /ANSWER: 40/);
  const whole = await run('+noedns', 'mail.acme.example', 'A');
  assert.match(whole, /Truncated, retrying in TCP mode(.|\n)*ANSWER: 40/);
  assert.doesNotMatch(await run('+norecurse', '+qr', 'acme.example', 'MX'), /Warning|malformed|mismatch/i);
});

test('a client that takes nothing of a transfer is cut off; the rest is never made', async (context) => {
  let made = 0;
  const answer: Answer = () => {
    function* endless() {
      for (;;) {
        made++;
        yield new Uint8Array(16_384);
      }
    }
    return endless();
  };
  const socket = connect(await open(context, 200, answer), '127.0.0.1');
  context.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.write(query(1));
  socket.pause();
  let before = -1;
  // The kernel takes some megabytes; then nothing more is made.
  await until('it stands still', async () => {
    const isStill = made > 0 && made === before;
    before = made;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return isStill;
  });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.resume();
  await closed;
  assert.ok(made < 4000, `${made} messages`);
});
