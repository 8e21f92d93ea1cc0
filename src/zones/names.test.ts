import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { operation } from '../database/operation.ts';
import { openTestDatabase, type TestDatabase } from '../database/testing.ts';
import { isSubdomain, parentName } from '../wire/dns/name.ts';
import { recordText } from '../wire/dns/text.ts';
import { noteDomainChange, zoneNames } from './names.ts';
import { findZone, lookUp } from './records.ts';
import { zonesUnit } from './tables.ts';
import { changeDomain, compiledDomain, settingsOf } from './testing.ts';

async function withDatabase(run: (database: TestDatabase) => Promise<void>): Promise<void> {
  const database = openTestDatabase([zonesUnit]);
  try {
    await run(database);
  } finally {
    database.close();
  }
}

const settings = settingsOf('mail.isp.example', ['192.0.2.1']);

test('a domain entry gives its zone in the transaction that makes it, and takes it away likewise', () =>
  withDatabase(async ({ reader, writer }) => {
    const names = zoneNames(reader);
    assert.equal(lookUp('acme.example', 'MX', { names, settings }).result, 'outside');
    const revision = await writer.execute(changeDomain, { after: 'acme.example' });
    assert.deepEqual(findZone('acme.example', { names, settings }), { name: 'acme.example', serial: revision });
    assert.equal(lookUp('acme.example', 'MX', { names, settings }).result, 'found');
    assert.equal(lookUp('example', 'MX', { names, settings }).result, 'outside');
    await writer.execute(changeDomain, { before: 'acme.example' });
    assert.equal(lookUp('acme.example', 'MX', { names, settings }).result, 'outside');
    assert.deepEqual(names.find('example'), {
      ...{ name: 'example', row: undefined, hasBelow: false, changedAt: 0, changedBelowAt: 0 },
    });
  }));

test('a change that leaves the name as it is leaves the serial, and repeating one does nothing', () =>
  withDatabase(async ({ reader, writer }) => {
    const names = zoneNames(reader);
    const made = await writer.execute(changeDomain, { after: 'acme.example' });
    await writer.execute(changeDomain, { before: 'acme.example', after: 'acme.example' });
    await writer.execute(changeDomain, { after: 'acme.example' });
    await writer.execute(changeDomain, { before: 'other.example' });
    assert.equal(findZone('acme.example', { names, settings })?.serial, made);
    assert.equal(names.find('example')?.hasBelow, true);
    await writer.execute(changeDomain, { before: 'acme.example' });
    assert.equal(names.find('example')?.hasBelow, false);
  }));

test('a row that changes raises the serial of its zone and no other, and stays one domain', () =>
  withDatabase(async ({ reader, writer }) => {
    const names = zoneNames(reader);
    for (const after of ['acme.example', 'a.b.acme.example', 'other.example'])
      await writer.execute(changeDomain, { after });
    const other = findZone('other.example', { names, settings });
    const revision = await writer.execute(changeRow, null);
    assert.deepEqual(findZone('acme.example', { names, settings }), { name: 'acme.example', serial: revision });
    assert.deepEqual(findZone('other.example', { names, settings }), other);
    const answer = lookUp('a.b.acme.example', 'MX', { names, settings });
    assert.deepEqual(answer.result === 'found' && answer.answers.map((record) => recordText(record)), [
      'a.b.acme.example. 77 IN MX 10 mail.isp.example.',
    ]);
    await writer.execute(changeDomain, { before: 'a.b.acme.example' });
    assert.equal(names.find('b.acme.example')?.hasBelow, false);
  }));

const changeRow = operation('test.changeRow', async (tx, _args: null) => {
  const before = compiledDomain('a.b.acme.example');
  const revision = await tx.nextRevision();
  await noteDomainChange(tx, { before, after: { ...before, row: { ...before.row, ttl: 77 } }, revision });
  return revision;
});

test('a zone is listed in pages, in canonical order, with the names that only lead to a domain', () =>
  withDatabase(async ({ reader, writer }) => {
    const names = zoneNames(reader);
    const listed = (apex: string, limit = 100): string[] => {
      const found: string[] = [];
      for (let page = names.list(apex, '', limit); page.length > 0; page = names.list(apex, found.at(-1)!, limit))
        found.push(...page.map(({ name }) => name));
      return found;
    };
    for (const after of ['acme.example', 'z.acme.example', 'b.a-a.acme.example', 'a.acme.example', 'c.a.acme.example'])
      await writer.execute(changeDomain, { after });
    for (const after of ['acme-2.example', 'xacme.example', 'gone.acme.example'])
      await writer.execute(changeDomain, { after });
    await writer.execute(changeDomain, { before: 'gone.acme.example' });
    const all = [
      ...['acme.example', 'a.acme.example', 'c.a.acme.example'],
      ...['a-a.acme.example', 'b.a-a.acme.example', 'z.acme.example'],
    ];
    for (const limit of [1, 2, 5, 6, 100]) assert.deepEqual(listed('acme.example', limit), all);
    assert.deepEqual(listed('a.acme.example'), ['a.acme.example', 'c.a.acme.example']);
    assert.deepEqual(listed('example'), ['example', ...all, 'acme-2.example', 'xacme.example']);
    assert.deepEqual(listed('.'), listed('example'));
    assert.deepEqual(listed('foreign.example'), []);
    assert.deepEqual(names.list('acme.example', 'example', 1), [names.find('acme.example')]);
    assert.deepEqual(names.list('acme.example', 'acme-2.example', 100), []);
  }));

// The naive zones: the set of domains after each revision, and a zone's serial found by going back through them.

type State = readonly string[];

/** The names that exist at and below this one. */
function below(name: string, domains: State): string[] {
  const existing = new Set<string>();
  for (const domain of domains) for (let at = domain; isSubdomain(at, name); at = parentName(at)!) existing.add(at);
  return [...existing].sort();
}

function apexOf(name: string, domains: State): string | undefined {
  return domains.filter((domain) => isSubdomain(name, domain)).sort((a, b) => a.length - b.length)[0];
}

function contentOf(zone: string, domains: State): string {
  if (apexOf(zone, domains) !== zone) return 'no zone';
  return domains.filter((domain) => isSubdomain(domain, zone)).join();
}

function serialOf(zone: string, history: readonly State[]): number {
  let revision = history.length - 1;
  while (contentOf(zone, history[revision - 1]!) === contentOf(zone, history[revision]!)) revision--;
  return revision;
}

test('after any changes, apexes, names and serials are those of a naive model', async () => {
  const all = ['example', 'acme.example', 'a.acme.example', 'b.a.acme.example', 'c.b.a.acme.example', 'other.example'];
  const one = fc.option(fc.constantFrom(...all), { nil: undefined });
  const changes = fc.array(fc.tuple(one, one), { minLength: 1, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(changes, (asked) =>
      withDatabase(async ({ reader, writer }) => {
        const names = zoneNames(reader);
        const history: State[] = [[]];
        for (const [before, after] of asked) {
          await writer.execute(changeDomain, { ...(before && { before }), ...(after && { after }) });
          const kept = history.at(-1)!.filter((domain) => domain !== before || before === after);
          const now = after !== undefined ? [...new Set([...kept, after])] : kept;
          history.push(now.sort());
          for (const name of all) {
            const apex = apexOf(name, now);
            const expected = apex && { name: apex, serial: serialOf(apex, history) };
            assert.deepEqual(findZone(name, { names, settings }), expected, `${name} in ${now.join()}`);
            const exists = now.some((domain) => isSubdomain(domain, name));
            const result = !apex ? 'outside' : now.includes(name) ? 'found' : exists ? 'no-data' : 'no-name';
            assert.equal(lookUp(name, 'MX', { names, settings }).result, result, `${name} in ${now.join()}`);
            assert.deepEqual(
              names
                .list(name, '', 100)
                .map((each) => each.name)
                .sort(),
              below(name, now),
            );
          }
        }
      }),
    ),
    { numRuns: 25 },
  );
});
