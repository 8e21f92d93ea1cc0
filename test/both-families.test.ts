// `listen = ["0.0.0.0", "::"]`: every door is served over both families, on one number.
//
// In      listen addresses, with free and with fixed ports
// Out     a greeting or an answer of each door over each family

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { test } from 'node:test';
import { decode, encode } from 'dns-packet';
import { freeOffset } from './support/free-ports.ts';
import { type Door, type Endpoint, startWaypost } from './support/server.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
const skip = hasIpv6 ? false : 'the machine has no ::1';
if (!hasIpv6 && process.env['CI'] === 'true') throw new Error('the machine has no ::1');

const LOOPBACKS = ['127.0.0.1', '::1'];
const GREETINGS: readonly (readonly [Door, RegExp])[] = [
  ['smtp', /^220 /],
  ['submission', /^220 /],
  ['lmtp', /^220 /],
  ['imap', /^\* OK /],
  ['pop3', /^\+OK /],
];
const query = encode({ type: 'query', id: 7, questions: [{ type: 'MX', name: 'nobody.example' }] });

async function greeting(host: string, port: number): Promise<string> {
  const socket = connect({ host, port });
  const [chunk] = await once(socket, 'data');
  socket.destroy();
  return String(chunk);
}

async function overUdp(host: string, port: number): Promise<Buffer> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  const asking = setInterval(() => socket.send(query, port, host), 200);
  socket.send(query, port, host);
  const [answer] = await once(socket, 'message');
  clearInterval(asking);
  socket.close();
  return answer;
}

async function overTcp(host: string, port: number): Promise<Buffer> {
  const socket = connect({ host, port });
  const length = Buffer.alloc(2);
  length.writeUInt16BE(query.length);
  socket.write(Buffer.concat([length, query]));
  const [chunk] = await once(socket, 'data');
  socket.destroy();
  return chunk.subarray(2);
}

async function isServed(listeners: Readonly<Record<Door, Endpoint>>, hosts: readonly string[]): Promise<void> {
  for (const host of hosts) {
    for (const [door, words] of GREETINGS) assert.match(await greeting(host, listeners[door].port), words);
    assert.equal(decode(await overUdp(host, listeners.dns.port)).id, 7);
    assert.equal(decode(await overTcp(host, listeners.dns.port)).id, 7);
    const name = host.includes(':') ? `[${host}]` : host;
    assert.equal((await fetch(`http://${name}:${listeners.http.port}/readyz`)).status, 200);
    const ldap = connect({ host, port: listeners.ldap.port });
    await once(ldap, 'connect');
    ldap.destroy();
  }
}

for (const listen of ['0.0.0.0,::', '::,0.0.0.0', '127.0.0.1,::', '::'])
  test(`${listen}: both families on one number, TCP and UDP`, { skip }, async () => {
    await using server = await startWaypost({ env: { WAYPOST_LISTEN: listen } });
    await isServed(server.listeners, LOOPBACKS);
  });

test('fixed ports: both families, and one that is taken on either is named', { skip }, async () => {
  const offset = await freeOffset();
  const env = { WAYPOST_LISTEN: '0.0.0.0,::', WAYPOST_PORT_OFFSET: String(offset) };
  {
    await using server = await startWaypost({ env });
    assert.equal(server.listeners.smtp.port, 25 + offset);
    await isServed(server.listeners, LOOPBACKS);
  }
  const other = createServer().listen({ host: '::1', port: 143 + offset, ipv6Only: true });
  await once(other, 'listening');
  await assert.rejects(startWaypost({ env }), (error: { exit?: { code: number }; stderr: string }) => {
    assert.equal(error.exit?.code, 75);
    assert.match(
      error.stderr,
      new RegExp(`\\[::\\]:${143 + offset} \\(imap\\) is taken by another program: .*"imap" into .without.`),
    );
    return true;
  });
  other.close();
});
