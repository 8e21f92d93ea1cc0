// A zone that the world knows stays a zone, whatever comes above it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { operation } from '../database/operation.ts';
import { SERVER } from '../directory/caller.ts';
import { findEntry } from '../directory/entries.ts';
import { textValue } from '../directory/entry.ts';
import { recordText } from '../wire/dns/text.ts';
import { zoneNames } from '../zones/names.ts';
import { lookUp } from '../zones/records.ts';
import { readZoneSettings } from '../zones/settings.ts';
import { applyAll } from './change.ts';
import { apexMarks, markAll } from './mark-apexes.ts';
import { add, addDomain, domainDn, openTestDirectory, replace, type TestDirectory } from './testing.ts';
import { ANY_SITE } from './write-options.ts';

const HOST = 'mail.isp.example';

function ask({ reader }: TestDirectory, name: string, type: 'SOA' | 'NS'): string {
  const settings = readZoneSettings(reader, { hostname: HOST, mode: 'embedded' });
  const answer = lookUp(name, type, { names: zoneNames(reader), settings });
  if (answer.result !== 'found') return answer.result;
  return recordText(answer.answers[0]!).split(' ').slice(0, 5).join(' ');
}

function isMarked({ reader }: TestDirectory, domain: string): boolean {
  const entry = findEntry(reader, domainDn(domain));
  return entry !== undefined && textValue(entry, 'waypostapex') === 'TRUE';
}

/** As an earlier program has left it. */
const unmark = operation('test.unmark', async (tx, domains: readonly string[]): Promise<void> => {
  const changes = domains.map((domain) => replace(domainDn(domain), { waypostApex: [] }));
  await applyAll(tx, changes, SERVER, { now: systemClock.now(), isRoot: true, ofServer: true, site: ANY_SITE });
});

test('the topmost domain is marked when it is made, and keeps its zone below one that comes above any number of them', async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  const zones = Array.from({ length: 1100 }, (_, at) => `z${at}.example`);
  await directory.apply(...zones.map((zone) => addDomain(zone)));
  await directory.apply(addDomain('sub.z7.example'));
  assert.ok(isMarked(directory, 'z7.example'));
  assert.ok(!isMarked(directory, 'sub.z7.example'));
  await directory.apply(addDomain('example'));
  assert.equal(ask(directory, 'z1099.example', 'SOA'), `z1099.example. 300 IN SOA ${HOST}.`);
  assert.equal(ask(directory, 'sub.z7.example', 'SOA'), 'no-data');
  assert.equal(ask(directory, 'z7.example', 'NS'), `z7.example. 300 IN NS ${HOST}.`);
});

test('what was no apex becomes none by a domain above it; what has become one without a mark gets it then', async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  await directory.apply(
    addDomain('theirs.example', {
      objectClass: ['domain', 'inetDomain', 'mailDomain', 'waypostDomain'],
      waypostZoneAuthority: 'theirs',
    }),
    addDomain('up.test'),
    addDomain('down.up.test'),
  );
  assert.ok(!isMarked(directory, 'theirs.example'));
  assert.ok(!isMarked(directory, 'down.up.test'));
  await directory.apply(
    replace(domainDn('up.test'), { objectClass: 'domain' }),
    addDomain('example'),
    addDomain('test'),
  );
  assert.equal(ask(directory, 'theirs.example', 'SOA'), 'no-data', 'it stays in our zone, and is named');
  assert.ok(isMarked(directory, 'down.up.test'));
  assert.equal(ask(directory, 'down.up.test', 'SOA'), `down.up.test. 300 IN SOA ${HOST}.`);
  await directory.apply(replace(domainDn('up.test'), { objectClass: ['domain', 'inetDomain', 'mailDomain'] }));
  assert.ok(!isMarked(directory, 'up.test'), 'it was none when the domain above it came');
  assert.equal(ask(directory, 'up.test', 'SOA'), 'no-data');
});

test('a store without marks gets them once, at the first start of this program, in slices', async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  const zones = Array.from({ length: 250 }, (_, at) => `z${at}.example`);
  await directory.apply(...zones.map((zone) => addDomain(zone)));
  await directory.apply(
    addDomain('sub.z7.example'),
    addDomain('firm.test'),
    add('dc=www,dc=plain,dc=test,o=internet', { objectClass: 'dNSDomain', dc: 'www', aRecord: '192.0.2.1' }),
  );
  await directory.writer.execute(unmark, [...zones, 'firm.test']);
  assert.ok(!isMarked(directory, 'z7.example'));
  const slices: number[] = [];
  await apexMarks().rebuild(directory.writer, (done) => slices.push(done));
  assert.deepEqual(slices, [200, 251]);
  for (const zone of [...zones, 'firm.test']) assert.ok(isMarked(directory, zone), zone);
  assert.ok(!isMarked(directory, 'sub.z7.example'));
  const before = directory.reader.revision();
  assert.deepEqual(await directory.writer.execute(markAll, '.'), { marked: 0, last: null });
  assert.equal(directory.reader.revision(), before);
  await directory.apply(addDomain('example'), addDomain('test'));
  assert.equal(ask(directory, 'z249.example', 'SOA'), `z249.example. 300 IN SOA ${HOST}.`);
  assert.equal(ask(directory, 'firm.test', 'SOA'), `firm.test. 300 IN SOA ${HOST}.`);
});
