// A transfer to a secondary that reads slowly is of one serial, whatever is written meanwhile; no transaction is open while it
// waits, and little is made ahead of it.
//
//   WAYPOST_ZONES_MANY=100000    a catalog of that many zones besides, through a real socket from a thread of its own: how long
//                                its turns are and what memory it takes is printed

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { duplexPair } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { silentLog } from '../base/log.ts';
import { TENANT } from '../base/tenant.ts';
import { openForWriting, openReader } from '../database/connection.ts';
import { operation, type Reader } from '../database/operation.ts';
import { openTestDatabase } from '../database/testing.ts';
import { type ConnectionRecord, describeConnection } from '../net/connection.ts';
import { createAnswer } from '../protocols/dns/answer.ts';
import { serveDnsTcp } from '../protocols/dns/tcp-session.ts';
import { type DnsMessage, decodeMessage, encodeMessage } from '../wire/dns/message.ts';
import type { ResourceRecord } from '../wire/dns/rdata.ts';
import { queryMessage } from '../wire/dns/testing.ts';
import { catalogRecords, catalogState } from '../zones/catalog.ts';
import type { ZoneRow } from '../zones/compile.ts';
import { pathOf } from '../zones/path.ts';
import { soaRecord } from '../zones/records.ts';
import { type NameServerRow, readZoneSettings, setSetting, type ZoneSite } from '../zones/settings.ts';
import { zonesUnit } from '../zones/tables.ts';
import { setRows, settingsOf } from '../zones/testing.ts';
import { zoneRecords, zoneState } from '../zones/transfer.ts';
import { zoneTransfers } from './zone-transfers.ts';

const site: ZoneSite = { hostname: 'mail.isp.test', mode: 'embedded', addresses: ['192.0.2.1'] };
const CATALOG = 'catalog.mail.isp.test';
const MANY = Number(process.env['WAYPOST_ZONES_MANY'] ?? 0);
/** More than is written ahead of the peer. */
const SOME = 20_000;
const AHEAD_BYTES = 256 * 1024;
const MESSAGE_BYTES_MAX = 64 * 1024;
const TEXT = '"a text that is long enough for the zone to be larger than what is written ahead"';

interface Filling {
  readonly parent: string;
  readonly count: number;
  readonly row: ZoneRow;
}

/** Names below a parent, all at once. */
const fill = operation('test.fill', async (tx, { parent, count, row }: Filling): Promise<void> => {
  const revision = await tx.nextRevision();
  await tx.run(
    `WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?)
     INSERT INTO zone_name (tenant, path, row, entry, below, changed, changed_below)
       SELECT ?, ? || printf('n%06d ', n), ?, printf('%032d', n), 0, ?, 0 FROM n`,
    ...[count, TENANT, pathOf(parent), JSON.stringify(row), revision],
  );
  await tx.run(
    `INSERT INTO zone_name (tenant, path, row, below, changed, changed_below) VALUES (?, ?, NULL, ?, 0, ?)
     ON CONFLICT DO UPDATE SET below = excluded.below, changed_below = excluded.changed_below`,
    ...[TENANT, pathOf(parent), count, revision],
  );
});

const addSecondary = operation('test.addSecondary', async (tx, _: null): Promise<void> => {
  const common = { kind: 'nameserver', key: 'ns', dn: 'cn=ns', role: 'secondary', zones: [], watch: [] } as const;
  const row: NameServerRow = { ...common, addresses: [{ address: '127.0.0.1', port: 53 }] };
  await setSetting(tx, row, row, await tx.nextRevision());
});

function doorOf(reader: Reader) {
  const answer = createAnswer({
    lookUp: () => ({ result: 'outside' }),
    revision: () => reader.revision(),
    log: silentLog,
    transfers: zoneTransfers({ reader, site, log: silentLog }),
  });
  return { answer, log: silentLog };
}

const record: ConnectionRecord = {
  ...{ id: 1, listener: 'dns', localAddress: '127.0.0.1', localPort: 53, peerAddress: '127.0.0.1', peerPort: 5300 },
  ...{ tls: undefined, isPrivate: true },
};

function framed(message: DnsMessage): Buffer {
  const octets = encodeMessage(message);
  return Buffer.concat([Buffer.of(octets.length >> 8, octets.length & 255), octets]);
}

const text = (one: ResourceRecord): string => JSON.stringify(one);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function scene(context: TestContext) {
  const database = openTestDatabase([zonesUnit]);
  context.after(() => database.close());
  await database.writer.execute(addSecondary, null);
  const other = openForWriting(database.path);
  context.after(() => other.close());
  /** True when no reader holds on to a state of before. */
  const isCheckpointed = (): boolean => other.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.['busy'] === 0;
  return { ...database, isCheckpointed };
}

interface Slow {
  /** Made before each part that is read. */
  readonly meanwhile: (part: number) => Promise<void>;
  readonly isCheckpointed: () => boolean;
}

/** All records of a transfer that is read in parts, each when the one before has long been taken. */
async function readSlowly(reader: Reader, zone: string, { meanwhile, isCheckpointed }: Slow) {
  const [ours, theirs] = duplexPair();
  const session = serveDnsTcp(doorOf(reader), ours, record);
  theirs.write(framed(queryMessage(1, zone, 'AXFR')));
  const records: ResourceRecord[] = [];
  let input = Buffer.alloc(0);
  let parts = 0;
  const isOver = (): boolean => records.length > 1 && records.at(-1)!.type === 'SOA';
  while (!isOver()) {
    let waiting = -1;
    while (waiting !== session.connection.output.waitingBytes) {
      waiting = session.connection.output.waitingBytes;
      for (let i = 0; i < 3; i++) await turn();
    }
    assert.ok(waiting <= AHEAD_BYTES + MESSAGE_BYTES_MAX, `${waiting} octets are made ahead`);
    await meanwhile(parts++);
    assert.ok(isCheckpointed(), 'a transaction is open');
    for (let taken = 0; taken < MESSAGE_BYTES_MAX; await turn()) {
      const chunk = theirs.read() as Buffer | null;
      if (chunk === null) {
        if (theirs.readableLength === 0 && session.connection.output.waitingBytes === 0) break;
        continue;
      }
      taken += chunk.length;
      input = Buffer.concat([input, chunk]);
    }
    for (const octets of whole(input)) {
      input = input.subarray(2 + octets.length);
      records.push(...decodeMessage(octets).answers);
    }
  }
  session.connection.destroy();
  return { records, parts };
}

/** The messages that have come. */
function* whole(input: Buffer): Generator<Buffer> {
  for (let at = 0; input.length >= at + 2 && input.length >= at + 2 + input.readUInt16BE(at); ) {
    const end = at + 2 + input.readUInt16BE(at);
    yield input.subarray(at + 2, end);
    at = end;
  }
}

function serialsOf(records: readonly ResourceRecord[]): readonly number[] {
  return records.flatMap((one) => (one.type === 'SOA' ? one.serial : []));
}

/** A key of the site and a host of the zone. */
const moveKey = operation('test.moveKey', async (tx, part: number): Promise<void> => {
  const revision = await tx.nextRevision();
  const key = { kind: 'key', key: 's1', dn: 'cn=s1', type: 'rsa', public: `AA${part}A`, state: 'signing' } as const;
  await setSetting(tx, { ...key, changedAt: part }, { ...key, changedAt: part }, revision);
  const of = {
    kind: 'host',
    key: 'mx.big.test',
    addresses: [`192.0.2.${part + 1}`],
    services: [],
    preference: 10,
  } as const;
  await setSetting(tx, of, of, revision);
});

const inMain = isMainThread ? test : () => undefined;
if (!isMainThread) serveInThread((workerData as { path: string }).path);

inMain('a catalog that is read slowly is of one serial, while zones come and go', async (context) => {
  const { reader, writer, isCheckpointed } = await scene(context);
  await writer.execute(fill, { parent: 'test', count: SOME, row: { domain: 'mail' } });
  const state = reader.snapshot(() => catalogState(reader, readZoneSettings(reader, site)));
  const expected = [...catalogRecords(reader, state)].flat().map(text);
  assert.equal(expected.length, SOME + 2);
  const meanwhile = (part: number): Promise<void> => {
    const name = (n: number): string => `n${String(n).padStart(6, '0')}.test`;
    return writer.execute(setRows, [
      { name: name(SOME - part), row: null, entry: '' },
      { name: `a${part}.test`, row: { domain: 'mail' }, entry: `a${part}`.padEnd(32, '0') },
      { name: name(SOME - 200 - part), row: { domain: 'mail' }, entry: `b${part}`.padEnd(32, '0') },
    ]);
  };
  const { records, parts } = await readSlowly(reader, CATALOG, { meanwhile, isCheckpointed });
  assert.ok(parts > 5, `${parts} parts`);
  assert.deepEqual(serialsOf(records), [state.zone.serial, state.zone.serial]);
  assert.deepEqual(records.slice(1, -1).map(text), expected);
  assert.ok(
    reader.snapshot(() => catalogState(reader, readZoneSettings(reader, site))).zone.serial > state.zone.serial,
  );
});

inMain(
  'a large zone that is read slowly is of one serial, while its names, its hosts and its keys change',
  async (context) => {
    const { reader, writer, isCheckpointed } = await scene(context);
    await writer.execute(fill, { parent: 'big.test', count: SOME, row: { site: [['TXT', TEXT]] } });
    await writer.execute(setRows, [{ name: 'big.test', row: { domain: 'mail' }, entry: '1'.repeat(32) }]);
    const settings = readZoneSettings(reader, site);
    const state = reader.snapshot(() => zoneState(reader, 'big.test', settings)!);
    const expected = [...zoneRecords(reader, state)].flat().map(text);
    assert.ok(expected.length > SOME);
    const meanwhile = async (part: number): Promise<void> => {
      const name = (n: number): string => `n${String(n).padStart(6, '0')}.big.test`;
      await writer.execute(setRows, [
        { name: name(SOME - part), row: null, entry: '' },
        { name: `z${part}.big.test`, row: { site: [['A', '192.0.2.9']] }, entry: `a${part}`.padEnd(32, '0') },
        { name: name(SOME - 200 - part), row: { site: [['A', '192.0.2.8']] }, entry: `b${part}`.padEnd(32, '0') },
        { name: 'big.test', row: { domain: 'mail', ttl: 60 + part }, entry: '1'.repeat(32) },
      ]);
      await writer.execute(moveKey, part);
    };
    const { records, parts } = await readSlowly(reader, 'big.test', { meanwhile, isCheckpointed });
    assert.ok(parts > 5, `${parts} parts`);
    assert.deepEqual(serialsOf(records), [state.zone.serial, state.zone.serial]);
    assert.deepEqual(records.slice(1, -1).map(text), expected);
  },
);

/** In a thread of its own: the door on a free port; asked for its figures it gives them, and begins anew. */
function serveInThread(path: string): void {
  const { reader } = openReader(path);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  // The processor's time of each turn beside: on a machine with other work the clock tells of that, too.
  let [turnMs, cpuMs] = [0, 0];
  const spin = (): void => {
    const now = threadCpuMs();
    turnMs = Math.max(turnMs, now - cpuMs);
    cpuMs = now;
    setImmediate(spin);
  };
  spin();
  const server = createServer(
    (socket) => void serveDnsTcp(doorOf(reader), socket, describeConnection(socket, 'dns')),
  ).listen(0, '127.0.0.1', async () => {
    // The turn that the thread has begun in is no turn of a transfer.
    for (let i = 0; i < 3; i++) await turn();
    parentPort!.postMessage((server.address() as AddressInfo).port);
  });
  parentPort!.on('message', () => {
    const { heapUsed, external, rss } = process.memoryUsage();
    const [max, p99] = [delay.max, delay.percentile(99)].map((ns) => ns / 1e6);
    parentPort!.postMessage({ max, p99, heapUsed, external, rss, turnMs });
    turnMs = 0;
    delay.disable();
    delay.reset();
    delay.enable();
  });
}

/** Linux brings a running thread's time up to date when it is asked for the process's: else it is some milliseconds old. */
function threadCpuMs(): number {
  process.cpuUsage();
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

interface Figures {
  readonly max: number;
  readonly p99: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly rss: number;
  readonly turnMs: number;
}

inMain('a catalog of very many zones', { skip: MANY === 0 }, async (context) => {
  const { reader, writer, path } = await scene(context);
  await writer.execute(fill, { parent: 'test', count: MANY, row: { domain: 'mail' } });
  const worker = new Worker(new URL(import.meta.url), { workerData: { path } });
  context.after(() => worker.terminate());
  const [port] = (await once(worker, 'message')) as [number];
  const figures = async (): Promise<Figures> => {
    worker.postMessage('figures');
    return ((await once(worker, 'message')) as [Figures])[0];
  };
  let changes = 0;
  const writing = setInterval(() => {
    const name = `z${++changes}.test`;
    void writer.execute(setRows, [{ name, row: { domain: 'mail' }, entry: `c${changes}`.padEnd(32, '0') }]);
  }, 50);
  context.after(() => clearInterval(writing));
  await writer.execute(fill, { parent: 'big.test', count: MANY, row: { site: [['TXT', TEXT]] } });
  await writer.execute(setRows, [{ name: 'big.test', row: { domain: 'mail' }, entry: '1'.repeat(32) }]);
  const serialOf = (zone: string): number => {
    const settings = readZoneSettings(reader, site);
    const state = reader.snapshot(() =>
      zone === CATALOG ? catalogState(reader, settings) : zoneState(reader, zone, settings)!,
    );
    return state.zone.serial;
  };
  const transfer = async (what: string, zone: string, { waitMs = 0, from = 0 }): Promise<void> => {
    await figures();
    const before = await figures();
    const since = performance.now();
    const socket = connect(port, '127.0.0.1');
    const query = queryMessage(1, zone, from === 0 ? 'AXFR' : 'IXFR');
    const authorities = from === 0 ? [] : [{ ...soaRecord({ name: zone, serial: from }, settingsOf('mail.isp.test')) }];
    socket.write(framed({ ...query, authorities }));
    const serials: number[] = [];
    let [count, peakBytes] = [0, 0];
    let input: Buffer = Buffer.alloc(0);
    for await (const chunk of socket) {
      input = Buffer.concat([input, chunk as Buffer]);
      for (const octets of whole(input)) {
        input = input.subarray(2 + octets.length);
        const { answers } = decodeMessage(octets);
        count += answers.length;
        serials.push(...serialsOf(answers));
      }
      if (serials.length === (from === 0 ? 2 : 4)) break;
      if (waitMs > 0) await new Promise((later) => setTimeout(later, waitMs));
      peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
    }
    const ms = Math.round(performance.now() - since);
    const after = await figures();
    assert.equal(serials.at(-1), serials[0]);
    assert.ok(count > 100);
    const shown = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`;
    context.diagnostic(
      `${what}: ${count} records in ${ms} ms, ${changes} changes so far; turns 99% ${after.p99.toFixed(1)} ms, longest ` +
        `${after.max.toFixed(1)} ms, of processor ${after.turnMs.toFixed(1)} ms; heap of the thread ` +
        `${shown(before.heapUsed)} to ${shown(after.heapUsed)}, process at most ${shown(peakBytes)}`,
    );
  };
  await transfer('catalog', CATALOG, {});
  await transfer('catalog, read slowly', CATALOG, { waitMs: 20 });
  let from = serialOf(CATALOG);
  const others = Array.from({ length: 1500 }, (_, i) => `d${i}.test`);
  await writer.execute(
    setRows,
    others.map((name, i) => ({ name, row: { domain: 'mail' } as const, entry: `d${i}`.padEnd(32, '0') })),
  );
  for (const what of ['difference of a catalog', 'again']) await transfer(what, CATALOG, { from });
  await transfer('zone', 'big.test', {});
  await transfer('zone, read slowly', 'big.test', { waitMs: 20 });
  from = serialOf('big.test');
  await writer.execute(
    setRows,
    Array.from({ length: 64 }, (_, i) => ({
      name: `d${i}.big.test`,
      row: { domain: 'mail' } as const,
      entry: `e${i}`,
    })),
  );
  for (const what of ['difference of a zone', 'again']) await transfer(what, 'big.test', { from });
});
