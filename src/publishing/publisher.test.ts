// The publisher against primaries that never answer: what that costs the writer, and how many wait at once.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, before, describe, type TestContext, test } from 'node:test';
import { until } from '../../test/support/until.ts';
import { systemClock } from '../base/clock.ts';
import type { LogFields } from '../base/log.ts';
import type { Operation } from '../database/operation.ts';
import { countStatements } from '../database/testing.ts';
import {
  add,
  addDomain,
  domainDn,
  openTestDirectory,
  remove,
  replace,
  type TestDirectory,
} from '../provisioning/testing.ts';
import { ANY_SITE } from '../provisioning/write-options.ts';
import { dueAt, waitingCounts, waitingDomain, waitingServers } from '../zones/outbox.ts';
import { pathOf } from '../zones/path.ts';
import { publishedOf } from '../zones/published.ts';
import { readZoneSettings } from '../zones/settings.ts';
import { publishRecords } from './publisher.ts';

const SITE = { hostname: 'mail.test.example', mode: 'embedded' } as const;

const primary = (name: string, port: number, zones: readonly string[]) =>
  add(`cn=${name},ou=Hosts,ou=Waypost,o=internet`, {
    objectClass: 'waypostNameServer',
    waypostNameServerRole: 'primary',
    waypostNameServerAddress: `127.0.0.1:${port}`,
    waypostZone: zones,
  });

/** Takes connections, and says nothing. */
async function silentServer(context: { after(end: () => void): void }): Promise<number> {
  const server = createServer();
  const open = new Set<Socket>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}

test('primaries that never answer cost one call to the writer a try, and hold four tries at once, two of one of them', async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  for (const name of ['one', 'two', 'three']) {
    await directory.apply(primary(name, await silentServer(context), [`${name}.example`]));
    for (let at = 0; at < 4; at++) await directory.apply(addDomain(`d${at}.${name}.example`));
  }
  assert.deepEqual(waitingServers(directory.reader), ['one', 'three', 'two']);
  const calls: string[] = [];
  const ended: LogFields[] = [];
  const atOnce = new Map<string, number>();
  let most = 0;
  let mostOfOne = 0;
  const count = (server: string, more: number): void => {
    atOnce.set(server, (atOnce.get(server) ?? 0) + more);
    most = Math.max(
      most,
      [...atOnce.values()].reduce((sum, each) => sum + each, 0),
    );
    mostOfOne = Math.max(mostOfOne, ...atOnce.values());
  };
  const listen = (event: string, fields: LogFields = {}): void => {
    if (event !== 'dns.publish') return;
    ended.push(fields);
    count(String(fields['server']), -1);
  };
  const publisher = publishRecords({
    reader: directory.reader,
    writer: {
      execute<A, R>(operation: Operation<A, R>, args: A): Promise<R> {
        calls.push(operation.name);
        return directory.writer.execute(operation, args);
      },
      onNotification: () => () => {},
    },
    clock: systemClock,
    log: { debug: listen, info: listen, warn: listen, error: listen },
    site: ANY_SITE,
    settings: () => readZoneSettings(directory.reader, SITE),
    // Asked once a try, when it begins.
    keyOf: ({ key }) => {
      count(key, 1);
      return undefined;
    },
  });
  await until('several are over', () => ended.length >= 8);
  await publisher.stop();
  assert.deepEqual([most, mostOfOne], [4, 2]);
  assert.deepEqual([...new Set(calls)], ['publishing.tried']);
  assert.equal(calls.length, ended.length);
  // Each of the three has had its turn.
  assert.deepEqual(new Set(ended.map((fields) => fields['server'])), new Set(['one', 'two', 'three']));
  for (const fields of ended) assert.match(String(fields['error']), /127\.0\.0\.1:\d+: /);
  const { waiting, conflicts } = waitingCounts(directory.reader, Date.now());
  assert.deepEqual({ waiting, conflicts }, { waiting: 12, conflicts: 0 });
});

/** The publisher over a directory, with the clock and the timer that the test turns. */
function turned(context: TestContext, directory: TestDirectory) {
  context.mock.timers.enable({ apis: ['setInterval'] });
  const ended: LogFields[] = [];
  const listen = (event: string, fields: LogFields = {}): void => {
    if (event === 'dns.publish') ended.push(fields);
  };
  const at = { now: Date.UTC(2026, 10, 27) };
  const { reader, writer, onNotification } = directory;
  const publisher = publishRecords({
    reader,
    writer: { execute: (operation, args) => writer.execute(operation, args), onNotification },
    clock: { now: () => at.now, monotonic: () => at.now },
    log: { debug: listen, info: listen, warn: listen, error: listen },
    site: ANY_SITE,
    settings: () => readZoneSettings(reader, SITE),
    keyOf: () => undefined,
  });
  return { publisher, ended, at, turn: () => context.mock.timers.tick(1000) };
}

test('tried again after 1 s, 5 s, 30 s, 2 min, then 10 min for ever; at once when the domain moves, and then from 1 s on', async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  const path = pathOf('x.isp.example');
  // Nobody listens there.
  await directory.apply(primary('one', 9, ['isp.example']), addDomain('x.isp.example'));
  const { publisher, ended, at, turn } = turned(context, directory);
  const waits: number[] = [];
  const tried = async (): Promise<number> => {
    const count = waits.length + 1;
    await until('a try', () => ended.length >= count);
    const nextOf = () =>
      Number(directory.reader.get('SELECT next_attempt FROM dns_outbox WHERE path = ?', path)!['next_attempt']);
    await until('what it has come to is noted', () => nextOf() > at.now);
    waits.push((nextOf() - at.now) / 1000);
    return nextOf();
  };
  for (let n = 0; n < 9; n++) {
    const next = await tried();
    at.now = next - 1;
    turn();
    await new Promise((soon) => setTimeout(soon, 20));
    assert.equal(ended.length, n + 1, 'not before its time');
    at.now = next;
    turn();
  }
  assert.deepEqual(waits, [1, 5, 30, 120, 600, 600, 600, 600, 600]);
  await tried();
  await directory.apply(replace(domainDn('x.isp.example'), { waypostOmitRecord: 'srv' }));
  await tried();
  assert.deepEqual(waits.slice(-2), [600, 1]);
  // A clock that is set back makes nobody wait.
  at.now -= 3_600_000;
  turn();
  await publisher.stop();
});

test('where nothing is due no statement is made, however often it looks', async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  await directory.apply(primary('one', 9, ['isp.example']), addDomain('x.isp.example'), addDomain('own.example'));
  const { publisher, ended, turn } = turned(context, directory);
  await until('a try', () => ended.length === 1);
  await until('it waits', () => waitingDomain(directory.reader, pathOf('x.isp.example'))!.attempts === 1);
  await new Promise((soon) => setTimeout(soon, 20));
  const statements = countStatements();
  for (let n = 0; n < 100; n++) turn();
  assert.equal(statements(), 0);
  await publisher.stop();
});

describe('rows of the outbox', () => {
  let directory: TestDirectory;

  before(async () => {
    directory = await openTestDirectory();
    await directory.apply(primary('one', 9, ['isp.example']), primary('two', 9, ['sub.isp.example', 'other.example']));
  });
  after(() => directory.close());

  const due = (): string[] =>
    waitingServers(directory.reader).flatMap((server) =>
      dueAt(directory.reader, { server, now: Date.now(), limit: 100 }).map(
        ({ path }) => `${waitingDomain(directory.reader, path)!.domain} at ${server}`,
      ),
    );

  test('a domain, what lies below it, and the nearest zone of a primary', async () => {
    const before = due();
    await directory.apply(addDomain('x.isp.example'), addDomain('y.sub.isp.example'), addDomain('own.example'));
    assert.deepEqual(due().sort(), [...before, 'x.isp.example at one', 'y.sub.isp.example at two'].sort());
  });

  test('an entry that is no domain belongs to the domain above it', async () => {
    await directory.apply(addDomain('z.isp.example'));
    const revision = () =>
      dueAt(directory.reader, { server: 'one', now: Date.now(), limit: 100 }).find(
        ({ path }) => path === pathOf('z.isp.example'),
      )!.revision;
    const before = revision();
    await directory.apply(
      add(`dc=www,${domainDn('z.isp.example')}`, { objectClass: 'dNSDomain', dc: 'www', aRecord: '192.0.2.1' }),
    );
    assert.ok(revision() > before);
  });

  test('a domain that nothing was published of is forgotten where it is somebody else’s from now on; it waits once', async () => {
    await directory.apply(addDomain('t.other.example'));
    await directory.apply(replace(domainDn('t.other.example'), { description: 'nothing for DNS' }));
    assert.equal(due().filter((each) => each === 't.other.example at two').length, 1);
    assert.deepEqual(publishedOf(directory.reader, pathOf('t.other.example')), []);
    await directory.apply(remove(domainDn('t.other.example')));
    // The try finds out that nothing stands there.
    assert.ok(due().includes('t.other.example at two'));
  });
});
