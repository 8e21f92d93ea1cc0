// A source over time, against a server of the test's own: what a look asks, what its answer and its silence mean.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { HashGate } from '../auth/hash-gate.ts';
import { systemClock } from '../base/clock.ts';
import { silentLog } from '../base/log.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import { findEntry } from '../directory/entries.ts';
import { DnsFramer } from '../wire/dns/framer.ts';
import { decodeMessage, encodeMessage } from '../wire/dns/message.ts';
import type { Rdata, ResourceRecord } from '../wire/dns/rdata.ts';
import { add, openTestDirectory, remove, replace, type TestDirectory } from './testing.ts';
import { zoneSourceDn } from './zone-source.ts';
import { ZoneSources } from './zone-sources.ts';

const ZONE = 'corp.example';
const US = 'mail.test.example';

/** Has the zone, with `names` whose mail is ours. */
class ZoneServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  serial = 1;
  refresh = 0;
  expire = 1000;
  names: readonly string[] = [ZONE];
  refuses = false;
  /** Called when the answer to a transfer has been made. */
  onTransfer: (() => void) | undefined;
  readonly asked: string[] = [];

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (socket) => this.#serve(socket));
  }

  static async start(): Promise<ZoneServer> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ZoneServer(server);
  }

  get text(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    const framer = new DnsFramer();
    socket.on('data', (chunk: Buffer) => {
      framer.push(chunk);
      const frame = framer.next(65_535);
      if (frame === undefined) return;
      const query = decodeMessage(frame.octets);
      const type = query.questions[0]!.type;
      this.asked.push(type);
      const answers = this.refuses ? [] : this.#records(type === 'AXFR');
      const header = { isResponse: true, authoritative: true, rcode: this.refuses ? 5 : 0 };
      if (type === 'AXFR') this.onTransfer?.();
      const octets = encodeMessage({ ...query, ...header, answers });
      socket.write(Buffer.concat([Buffer.from([octets.length >> 8, octets.length & 0xff]), octets]));
    });
  }

  #records(isWhole: boolean): ResourceRecord[] {
    const record = (name: string, rdata: Rdata): ResourceRecord => ({ name, class: 1, ttl: 0, ...rdata });
    const { serial, refresh, expire } = this;
    const times = { refresh, retry: 0, expire, minimum: 0 };
    const soa = record(ZONE, { type: 'SOA', mname: 'a', rname: 'b', serial, ...times });
    if (!isWhole) return [soa];
    return [soa, ...this.names.map((name) => record(name, { type: 'MX', preference: 1, exchange: US })), soa];
  }
}

let directory: TestDirectory;
let server: ZoneServer;
let sources: ZoneSources;
beforeEach(async () => {
  directory = await openTestDirectory();
  server = await ZoneServer.start();
});
afterEach(async () => {
  sources.end();
  server.close();
  await directory.close();
});

function begin(refreshMinMs: number): void {
  const { reader, writer } = directory;
  const parts = { reader, writer, clock: systemClock, gate: new HashGate(), hostnames: [US], log: silentLog };
  sources = new ZoneSources({ ...parts, refreshMinMs });
  directory.onNotification(({ kind }) => {
    if (kind === 'zone-sources') sources.read();
  });
  sources.read();
}

const addSource = (...servers: readonly string[]) =>
  directory.apply(add(zoneSourceDn(ZONE), { objectClass: 'waypostZoneSource', cn: ZONE, waypostZoneServer: servers }));

const has = (domain: string): boolean => findEntry(directory.reader, dcDnOfDomain(domain)) !== undefined;
const state = () => sources.status()[0]?.state;

async function until(isSo: () => boolean): Promise<void> {
  for (const last = performance.now() + 120_000; !isSo(); ) {
    assert.ok(performance.now() < last, `${JSON.stringify(sources.status())} ${server.asked.join(' ')}`);
    await new Promise((turn) => setTimeout(turn, 5));
  }
}

test('the refresh of the SOA record: the zone is taken when its serial has risen, and only then', async () => {
  begin(20);
  await addSource(server.text);
  await until(() => state() === 'current');
  assert.deepEqual(sources.status(), [{ name: ZONE, kind: 'dns', entries: 1, state: 'current', lastError: null }]);
  server.names = [ZONE, 'a.corp.example'];
  const before = server.asked.length;
  await until(() => server.asked.length > before + 2);
  assert.deepEqual(new Set(server.asked.slice(before)), new Set(['SOA']));
  server.serial = 0xffff_ffff;
  const behind = server.asked.length;
  await until(() => server.asked.length > behind + 2);
  // 2 behind 1, by the arithmetic of serials.
  assert.equal(has('a.corp.example'), false);
  server.serial = 2;
  await until(() => has('a.corp.example'));
});

test('over the turn of 32 bits', async () => {
  server.serial = 0xffff_fff0;
  begin(20);
  await addSource(server.text);
  await until(() => has(ZONE));
  server.names = ['a.corp.example'];
  server.serial = 5;
  await until(() => has('a.corp.example') && state() === 'current');
});

test('a server that refuses is asked again; what was made stays, also when the zone has expired', async () => {
  begin(20);
  await addSource(server.text);
  await until(() => state() === 'current');
  server.refuses = true;
  await until(() => state() === 'retrying');
  const said = /^127\.0\.0\.1:\d+: no answer to SOA of corp\.example: the server says REFUSED$/;
  assert.match(sources.status()[0]!.lastError!, said);
  assert.ok(has(ZONE));
  server.refuses = false;
  server.expire = 0;
  server.serial = 2;
  server.names = [ZONE, 'a.corp.example'];
  await until(() => has('a.corp.example'));
  server.refuses = true;
  await until(() => state() === 'expired');
  assert.ok(has('a.corp.example'));
  server.refuses = false;
  server.expire = 1000;
  server.serial = 3;
  await until(() => state() === 'current');
});

test('the servers are asked in turn, and one that cannot be is named', async () => {
  begin(60_000);
  await addSource('127.0.0.1:1', server.text, 'ns.example');
  await until(() => has(ZONE));
  await until(() => state() === 'current');
  assert.equal(sources.status()[0]!.lastError, 'waypostZoneServer: ns.example is not an address');
});

test('other servers are asked at once, and a source that is gone no more', async () => {
  begin(60_000);
  await addSource('127.0.0.1:1');
  await until(() => state() === 'retrying');
  await directory.apply(replace(zoneSourceDn(ZONE), { waypostZoneServer: server.text }));
  await until(() => state() === 'current');
  await directory.apply(remove(zoneSourceDn(ZONE)));
  await until(() => sources.status().length === 0);
  assert.ok(has(ZONE));
  sources.notified(ZONE);
  const asked = server.asked.length;
  await new Promise((turn) => setTimeout(turn, 50));
  assert.equal(server.asked.length, asked);
});

test('many NOTIFYs are one look', async () => {
  begin(60_000);
  await addSource(server.text);
  await until(() => state() === 'current');
  server.serial = 2;
  server.names = [ZONE, 'a.corp.example'];
  const before = server.asked.length;
  for (let n = 0; n < 1000; n++) sources.notified(ZONE);
  sources.notified('other.example');
  await until(() => has('a.corp.example'));
  assert.deepEqual(server.asked.slice(before), ['SOA', 'AXFR']);
});

test('a NOTIFY that comes while the zone is being taken is not lost', async () => {
  begin(60_000);
  await addSource(server.text);
  await until(() => state() === 'current');
  server.serial = 2;
  server.onTransfer = () => {
    server.onTransfer = undefined;
    server.serial = 3;
    server.names = [ZONE, 'a.corp.example'];
    sources.notified(ZONE);
  };
  sources.notified(ZONE);
  await until(() => has('a.corp.example'));
});

test('a command takes the zone whatever its serial; one that fails is a look that fails, and the next has the whole of it', async () => {
  server.refresh = 10_000;
  begin(20);
  await addSource(server.text);
  await until(() => state() === 'current');
  server.names = [ZONE, 'a.corp.example'];
  const [address = '', port] = server.text.split(':');
  const { made } = await sources.synchronize(ZONE, { address, port: Number(port) }, false);
  assert.equal(made, 1);
  server.names = [];
  const dry = await sources.synchronize(ZONE, { address, port: Number(port) }, true);
  assert.deepEqual([dry.removed, has('a.corp.example')], [2, true]);
  server.refuses = true;
  await assert.rejects(sources.synchronize(ZONE, { address, port: Number(port) }, false), /REFUSED/);
  assert.equal(state(), 'retrying');
  server.refuses = false;
  await until(() => !has('a.corp.example') && !has(ZONE));
});

test('a domain that a source takes away leaves a tombstone, and is without one when the source brings it again', async () => {
  const name = `a.${ZONE}`;
  const stone = () => findEntry(directory.reader, `associatedDomain=${name},ou=Tombstones,ou=Waypost,o=internet`);
  server.names = [ZONE, name];
  begin(20);
  await addSource(server.text);
  await until(() => has(name));
  for (const isThere of [false, true]) {
    server.names = isThere ? [ZONE, name] : [ZONE];
    server.serial++;
    await until(() => has(name) === isThere);
    assert.equal(stone() === undefined, isThere);
  }
});
