// Servers that do what they should not: nothing hangs, nothing half is taken for a zone.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { Failure, type FailureKind } from '../base/failure.ts';
import { DnsFramer } from '../wire/dns/framer.ts';
import { type DnsMessage, decodeMessage, encodeMessage } from '../wire/dns/message.ts';
import type { Rdata, ResourceRecord } from '../wire/dns/rdata.ts';
import { askSoa, transferZone, type ZoneClientLimits } from './zone-client.ts';

const ZONE = 'corp.example';
const record = (name: string, rdata: Rdata): ResourceRecord => ({ name, class: 1, ttl: 300, ...rdata });
const soa = record(ZONE, {
  type: 'SOA',
  mname: 'a',
  rname: 'b',
  serial: 3,
  refresh: 1,
  retry: 1,
  expire: 1,
  minimum: 1,
});
const mx = record(ZONE, { type: 'MX', preference: 1, exchange: 'mail.example' });

type Behaviour = (query: DnsMessage, socket: Socket) => void;

/** The octets of one response with these answers. */
function framed(query: DnsMessage, answers: readonly ResourceRecord[], more: Partial<DnsMessage> = {}): Buffer {
  const octets = encodeMessage({ ...query, isResponse: true, authoritative: true, answers, ...more });
  const length = Buffer.alloc(2);
  length.writeUInt16BE(octets.length);
  return Buffer.concat([length, octets]);
}

async function against<T>(behave: Behaviour, ask: (port: number) => Promise<T>): Promise<T> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const framer = new DnsFramer();
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      framer.push(chunk as Buffer);
      const frame = framer.next(65_535);
      if (frame !== undefined) behave(decodeMessage(frame.octets), socket);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    return await ask((server.address() as AddressInfo).port);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

async function transferred(behave: Behaviour, limits: ZoneClientLimits = {}): Promise<string> {
  const types: string[] = [];
  const { serial } = await against(behave, (port) =>
    transferZone({ address: '127.0.0.1', port }, ZONE, ({ type }) => types.push(type), limits),
  );
  return `${types.join(' ')} ${serial}`;
}

test('a zone in pieces of any size', async () => {
  const whole = await transferred((query, socket) => {
    const octets = Buffer.concat([
      framed(query, [soa, mx]),
      framed(query, [mx], { questions: [] }),
      framed(query, [soa]),
    ]);
    for (const octet of octets) socket.write(Buffer.of(octet));
  });
  assert.equal(whole, 'SOA MX MX SOA 3');
});

test('a SOA record', async () => {
  const found = await against(
    (query, socket) => socket.write(framed(query, [soa])),
    (port) => askSoa({ address: '127.0.0.1', port }, ZONE),
  );
  assert.equal(found.serial, 3);
});

const bad: readonly [what: string, behave: Behaviour, said: RegExp, kind?: FailureKind, limits?: ZoneClientLimits][] = [
  ['refused', (query, socket) => socket.write(framed(query, [], { rcode: 5 })), /the server says REFUSED/],
  ['closed at once', (_, socket) => socket.end(), /cut off before the end of corp.example/],
  ['reset', (_, socket) => socket.resetAndDestroy(), /ECONNRESET/],
  ['cut off', (query, socket) => socket.end(framed(query, [soa, mx])), /cut off before the end/],
  ['cut off in a message', (query, socket) => socket.end(framed(query, [soa, mx, soa]).subarray(0, -1)), /cut off/],
  [
    'no closing SOA',
    (query, socket) => socket.write(framed(query, [soa, mx])),
    /nothing came in time/,
    'unavailable',
    { idleMs: 50 },
  ],
  ['silent', () => {}, /nothing came in time/, 'unavailable', { idleMs: 50 }],
  [
    'without end',
    (query, socket) => socket.write(framed(query, [soa, mx, mx, mx])),
    /more than 3 records/,
    'too-many',
    { recordsMax: 3 },
  ],
  [
    'a message now and then',
    (query, socket) => {
      socket.write(framed(query, [soa]));
      const timer = setInterval(() => socket.write(framed(query, [mx])), 20);
      socket.once('close', () => clearInterval(timer));
    },
    /not whole after 0.2 seconds/,
    'unavailable',
    { totalMs: 200 },
  ],
  ['nonsense', (_, socket) => socket.write('GET / HTTP/1.1\r\n'.repeat(2000)), /no answer to AXFR of corp.example/],
];

for (const [what, behave, said, kind = 'unavailable', limits] of bad)
  test(`no zone: ${what}`, async () => {
    await assert.rejects(transferred(behave, limits), (error) => {
      assert.ok(error instanceof Failure, String(error));
      assert.equal(error.kind, kind);
      assert.match(error.message, said);
      return error.message.startsWith('127.0.0.1:');
    });
  });

test('no server there', async () => {
  await assert.rejects(
    transferZone({ address: '127.0.0.1', port: 1 }, ZONE, () => {}),
    {
      name: 'Failure',
      kind: 'unavailable',
      message: '127.0.0.1:1: ECONNREFUSED',
    },
  );
});
