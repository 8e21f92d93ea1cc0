// The watch and the walk over a real directory; the name server is the test's, at a `waypostWatchAddress`.

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { DnsTestServer } from '../../test/support/dns-server.ts';
import { until } from '../../test/support/until.ts';
import { HOUR_MS } from '../base/duration.ts';
import type { Revision } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import type { Operation } from '../database/operation.ts';
import { countStatements } from '../database/testing.ts';
import { SERVER } from '../directory/caller.ts';
import { findEntry } from '../directory/entries.ts';
import { textValue } from '../directory/entry.ts';
import { DnsClient } from '../net/dns-client.ts';
import { changeOperation } from '../provisioning/change.ts';
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
import type { Rdata } from '../wire/dns/rdata.ts';
import { zoneNames } from '../zones/names.ts';
import { waitingDomain } from '../zones/outbox.ts';
import { pathOf } from '../zones/path.ts';
import { readZoneSettings, type ZoneSite } from '../zones/settings.ts';
import { firstSpread } from '../zones/spread.ts';
import { nextLook, WATCH_OFTEN_MS, watchesBegun, watchOf } from '../zones/watch.ts';
import { observe, wantedRecords } from './observe.ts';
import { noteObservation } from './observed.ts';
import { triedOperation } from './outbox-operations.ts';
import { Questions } from './questions.ts';
import { spreadChanges } from './spread.ts';
import { watchDomains } from './watch.ts';

const zoneSite: ZoneSite = { hostname: 'mail.test.example', mode: 'embedded' };
const withoutDns: ZoneSite = { ...zoneSite, mode: 'none' };

/** Names of the operations that were posted. */
function counting({ writer, onNotification }: TestDirectory) {
  const posted: string[] = [];
  return {
    posted,
    onNotification,
    execute<A, R>(operation: Operation<A, R>, args: A, bytes?: number): Promise<R> {
      posted.push(operation.name);
      return writer.execute(operation, args, bytes);
    },
  };
}

test('looks at 1, 3, 8, 18, 38, 78, 138 s and each minute behind that, none after ten minutes', () => {
  const at: number[] = [];
  for (let next = nextLook(0); next !== undefined; next = nextLook(next)) at.push(next / 1000);
  assert.deepEqual(at.slice(0, 8), [1, 3, 8, 18, 38, 78, 138, 198]);
  assert.equal(at.at(-1), 558);
  assert.equal(nextLook(WATCH_OFTEN_MS), undefined);
});

describe('a domain at a primary', () => {
  const domain = 'a.isp.example';
  const path = pathOf(domain);
  let directory: TestDirectory;
  let server: DnsTestServer;
  const client = new DnsClient();
  let now = Math.ceil(Date.now() / HOUR_MS) * HOUR_MS;

  before(async () => {
    directory = await openTestDirectory();
    server = await DnsTestServer.start();
    server.isAuthoritative = true;
    await directory.apply(
      add('cn=p,ou=Hosts,ou=Waypost,o=internet', {
        objectClass: 'waypostNameServer',
        cn: 'p',
        waypostNameServerRole: 'primary',
        waypostNameServerAddress: '127.0.0.1:9',
        waypostZone: 'isp.example',
        waypostWatchAddress: server.server,
      }),
      addDomain(domain),
    );
  });
  after(async () => {
    client.close();
    await server?.close();
    directory?.close();
  });

  const state = () => textValue(findEntry(directory.reader, domainDn(domain))!, 'waypostdomainstate');

  /** The primary has said NOERROR. */
  async function published(): Promise<void> {
    const { revision } = directory.reader.get('SELECT revision FROM dns_outbox WHERE path = ?', path) ?? {};
    const due = { path, revision: revision as Revision, attempts: 0, isForced: false };
    await directory.writer.execute(triedOperation(ANY_SITE), {
      due,
      places: [],
      conflicts: [],
      isPublished: true,
      now,
    });
  }

  /** As the entry wants it, but these sets. */
  function serve(without: readonly string[] = [], gone = ''): void {
    const names = zoneNames(directory.reader);
    const { sets } = wantedRecords(domain, { names, settings: readZoneSettings(directory.reader, zoneSite) })!;
    for (const { name, type, records } of sets)
      server.script(name, type, {
        records: without.includes(type) || name === gone ? [] : (records as readonly Rdata[]),
      });
  }

  /** One look; which operations it has posted. */
  async function look(): Promise<string[]> {
    const writer = counting(directory);
    const { reader } = directory;
    const names = zoneNames(reader);
    const wanted = wantedRecords(domain, { names, settings: readZoneSettings(reader, zoneSite) })!;
    const observation = await observe(wanted, new Questions(client), '');
    const watch = watchOf(reader, path);
    await noteObservation({ reader, writer, log: silentLog }, { wanted, observation, watch, now });
    return writer.posted;
  }

  test('published, not there yet: said once, then nothing is written, and nothing is due again', async () => {
    serve(['MX']);
    await published();
    assert.equal(state(), 'published');
    assert.deepEqual(await look(), ['publishing.observed']);
    assert.match(watchOf(directory.reader, path)!.problems.join(), /has not a\.isp\.example\. MX/);
    now += 60_000;
    assert.deepEqual(await look(), []);
    assert.equal(waitingDomain(directory.reader, path), undefined);
  });

  test('there: active, its keys seen, in one call; the next looks write nothing', async () => {
    serve();
    now += 60_000;
    assert.deepEqual(await look(), ['publishing.observed']);
    assert.equal(state(), 'active');
    assert.deepEqual(watchOf(directory.reader, path)!.problems, []);
    assert.deepEqual(await look(), []);
    assert.deepEqual(await look(), []);
  });

  test('taken away after it was seen: due again at once, once; the entry stays active', async () => {
    serve(['TXT']);
    assert.deepEqual(await look(), ['publishing.observed']);
    assert.notEqual(waitingDomain(directory.reader, path), undefined);
    assert.deepEqual(await look(), []);
    assert.equal(state(), 'active');
    await published();
    assert.equal(waitingDomain(directory.reader, path), undefined);
    // Before it was seen again, it has not come everywhere.
    await look();
    assert.equal(waitingDomain(directory.reader, path), undefined);
    // After ten minutes it has not come at all.
    now += WATCH_OFTEN_MS;
    await look();
    assert.notEqual(waitingDomain(directory.reader, path), undefined);
  });

  test('a key whose record is at no name server any more does not count as seen, until it is seen again', async () => {
    const keys = () => directory.reader.arrays('SELECT selector FROM key_observed ORDER BY selector').flat();
    const secret = () => generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    for (const cn of ['k1', 'k2'])
      await directory.apply(
        add(`cn=${cn},ou=Keys,ou=Waypost,o=internet`, {
          objectClass: 'waypostDkimKey',
          waypostKeyType: 'ed25519',
          waypostKeySecret: secret(),
          waypostKeyState: 'signing',
        }),
      );
    await published();
    serve();
    await look();
    const [one, ...others] = keys();
    assert.ok(others.length > 0);
    serve([], `${one}._domainkey.${domain}`);
    assert.deepEqual(await look(), ['publishing.observed']);
    assert.deepEqual(keys(), others);
    assert.deepEqual(await look(), []);
    serve();
    await look();
    assert.deepEqual(keys(), [one, ...others]);
    // Other than in a zone of ours, where the record is there with the commit.
    const dn = `cn=${one},ou=Keys,ou=Waypost,o=internet`;
    const { public: open } = readZoneSettings(directory.reader, zoneSite).keys.find(({ key }) => key === one)!;
    await directory.apply(replace(dn, { waypostKeyState: 'new' }));
    assert.deepEqual(keys(), [one, ...others], 'it is the same key');
    await directory.apply(replace(dn, { waypostKeySecret: secret(), waypostKeyPublic: [] }));
    const after = readZoneSettings(directory.reader, zoneSite).keys.find(({ key }) => key === one)!;
    assert.notEqual(after.public, open);
    assert.deepEqual(keys(), others, 'what was seen was another key');
  });

  test('silent: what was known stays', async () => {
    await published();
    serve();
    await look();
    server.isAuthoritative = false;
    assert.deepEqual(await look(), []);
    server.isAuthoritative = true;
    assert.equal(watchOf(directory.reader, path)!.isSeen, true);
  });

  test('by the clock: often from a publication on', async () => {
    const { reader } = directory;
    const writer = counting(directory);
    const clock = { now: () => now, monotonic: () => performance.now() };
    await published();
    serve(['MX']);
    const watch = watchDomains({ reader, writer, log: silentLog, clock, zoneSite, resolver: [], ownDns: '' });
    const looked = async (what: string): Promise<void> => {
      const before = server.queries.length;
      await until(what, () => {
        now += 10_000;
        return server.queries.length > before;
      });
    };
    await looked('an early look');
    now = watchOf(reader, path)!.begun + WATCH_OFTEN_MS;
    serve();
    // Where the last early look was before, the next one comes in six hours.
    await until('what was seen', () => {
      now += 600_000;
      return watchOf(reader, path)!.isSeen;
    });
    await watch.stop();
  });

  test('by a clock that the test turns: 1, 2, 5, 10, 20, 40 s after one another, each minute for ten, then once in six hours', async (context) => {
    const { reader } = directory;
    const clock = { now: () => now, monotonic: () => now };
    await published();
    serve(['MX']);
    const { begun } = watchOf(reader, path)!;
    now = begun;
    context.mock.timers.enable({ apis: ['setInterval'] });
    const parts = { reader, writer: counting(directory), log: silentLog, clock, zoneSite, resolver: [], ownDns: '' };
    const watch = watchDomains(parts);
    const at: number[] = [];
    /** Each second, or each minute, what is due is looked at before the clock goes on. */
    const go = async (until: number, stepMs: number, most = Number.POSITIVE_INFINITY): Promise<void> => {
      for (; now < until && at.length < most; now += stepMs) {
        const before = server.queries.length;
        context.mock.timers.tick(250);
        for (let turn = 0; turn < 60; turn++) await new Promise((next) => setImmediate(next));
        if (server.queries.length > before) at.push((now - begun) / 1000);
      }
    };
    await go(begun + 660_000, 1000);
    assert.deepEqual(at.splice(0), [1, 3, 8, 18, 38, 78, 138, 198, 258, 318, 378, 438, 498, 558]);
    await go(begun + 24 * HOUR_MS, 60_000, 3);
    assert.equal(at.length, 3);
    for (const [n, each] of at.entries()) assert.ok(n === 0 || Math.abs(each - at[n - 1]! - 6 * 3600) <= 60, at.join());
    // Between them nothing is due, and no statement is made for that.
    const statements = countStatements();
    const made = statements();
    for (let n = 0; n < 600; n++, now += 1000) context.mock.timers.tick(250);
    assert.equal(statements() - made, 0);
    // A publication begins it anew.
    await published();
    const from = watchOf(reader, path)!.begun;
    now = from;
    at.splice(0);
    await go(from + 4000, 1000);
    assert.deepEqual(
      at.map((each) => each - (from - begun) / 1000),
      [1, 3],
    );
    await watch.stop();
  });

  test('removed: no row is left of it, and no key counts as seen', async () => {
    const keys = () => directory.reader.arrays('SELECT count(*) FROM key_observed')[0]![0];
    await directory.apply(remove(domainDn(domain)));
    assert.equal(watchOf(directory.reader, path), undefined);
    assert.equal(keys(), 0);
  });

  test('mode none: theirs at once, watched from its entry on, active once its records are there', async () => {
    const { reader, writer } = directory;
    const name = 'n.isp.example';
    const parts = () => ({ names: zoneNames(reader), settings: readZoneSettings(reader, withoutDns) });
    const changes = [addDomain(name)];
    await writer.execute(changeOperation([], withoutDns), { changes, caller: SERVER, peer: '', now });
    const { standing, sets } = wantedRecords(name, parts())!;
    assert.equal(standing.authority, 'theirs');
    assert.equal(waitingDomain(reader, pathOf(name)), undefined);
    const stateNow = () => [
      textValue(findEntry(reader, domainDn(name))!, 'waypostdomainstate'),
      watchOf(reader, pathOf(name))?.isSeen,
    ];
    assert.deepEqual(stateNow(), ['defined', false]);
    const clock = { now: () => now, monotonic: () => performance.now() };
    const more = { clock, zoneSite: withoutDns, resolver: [server.server], ownDns: '' };
    const watch = watchDomains({ reader, writer: counting(directory), log: silentLog, ...more });
    await until('what is missing', () => {
      now += 1000;
      return (watchOf(reader, pathOf(name))?.problems.length ?? 0) > 0;
    });
    assert.deepEqual(stateNow(), ['defined', false]);
    for (const { name: owner, type, records } of sets)
      server.script(owner, type, { records: records as readonly Rdata[] });
    await until('what is there', () => {
      now += 1000;
      return stateNow()[1] === true;
    });
    await watch.stop();
    assert.deepEqual(stateNow(), ['active', true]);
  });
});

describe('the walk', () => {
  const COUNT = 450;
  let directory: TestDirectory;
  before(async () => {
    directory = await openTestDirectory();
    const names = Array.from({ length: COUNT }, (_, at) => `d${at}.example`);
    await directory.apply(...names.map((name) => addDomain(name)));
    await directory.apply(
      ...Array.from({ length: COUNT }, (_, at) => addDomain(`t${at}.test`, { waypostZoneAuthority: 'theirs' })),
    );
  });
  after(() => directory?.close());

  /** `act`: when a walk that found nothing is over. */
  async function walked(act?: () => Promise<unknown>, site = zoneSite): Promise<string[]> {
    const writer = counting(directory);
    const { reader } = directory;
    const clock = { now: () => Date.now(), monotonic: () => performance.now() };
    const walk = spreadChanges({ reader, writer, log: silentLog, clock, zoneSite: site, resolver: [], ownDns: '' });
    if (act !== undefined) {
      await new Promise((over) => setTimeout(over, 700));
      assert.deepEqual(writer.posted, []);
      await act();
    }
    await until('the end of the walk', () => writer.posted.length > 0 && firstSpread(reader) === undefined);
    await walk.stop();
    return writer.posted;
  }
  const begun = () => watchesBegun(directory.reader, 0, 10_000).map(({ number }) => number);

  test('at the first start through all names: a call a slice in which something is to be done, and one at the end', async () => {
    const before = begun();
    assert.equal(before.length, COUNT);
    const posted = await walked();
    assert.equal(posted[0], 'publishing.served-as');
    // 900 names and the nodes above: those of `example` cost nothing.
    assert.ok(posted.length >= 4 && posted.length <= 5, posted.join());
    assert.ok(Math.min(...begun()) > Math.max(...before));
  });

  test('a host that changes: those that others publish alone, 200 a transaction', async () => {
    const before = begun();
    const change = () =>
      directory.apply(replace('cn=mail.test.example,ou=Hosts,ou=Waypost,o=internet', { waypostHostPreference: '20' }));
    assert.deepEqual(await walked(change), ['publishing.spread', 'publishing.spread', 'publishing.spread']);
    assert.ok(Math.min(...begun()) > Math.max(...before));
  });

  test('a primary that takes the zone over: its domains are due there, and back again with it gone', async () => {
    const dn = 'cn=q,ou=Hosts,ou=Waypost,o=internet';
    await directory.apply(
      add(dn, {
        objectClass: 'waypostNameServer',
        cn: 'q',
        waypostNameServerRole: 'primary',
        waypostNameServerAddress: '127.0.0.1:9',
        waypostZone: 'd7.example',
      }),
    );
    assert.deepEqual(await walked(), ['publishing.spread']);
    assert.equal(waitingDomain(directory.reader, pathOf('d7.example'))?.server, 'q');
    assert.equal(waitingDomain(directory.reader, pathOf('d8.example')), undefined);
  });

  test('a start in mode none: each domain, whoever had it, is watched', async () => {
    assert.equal((await walked(undefined, withoutDns))[0], 'publishing.served-as');
    assert.equal(begun().length, 2 * COUNT);
  });
});
