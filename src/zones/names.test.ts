import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { operation } from '../database/operation.ts';
import { openTestDatabase, type TestDatabase } from '../database/testing.ts';
import { isAtOrBelow } from '../wire/dns/name.ts';
import { noteDomainChange, zoneNames } from './names.ts';
import { findZone, lookUp, zoneHost } from './records.ts';
import { zonesUnit } from './tables.ts';

interface Change {
  readonly before?: string;
  readonly after?: string;
}

const change = operation('zones.testChange', async (tx, { before, after }: Change) => {
  const revision = await tx.nextRevision();
  await noteDomainChange(tx, { before, after, revision });
  return revision;
});

async function withDatabase(run: (database: TestDatabase) => Promise<void>): Promise<void> {
  const database = openTestDatabase([zonesUnit]);
  try {
    await run(database);
  } finally {
    database.close();
  }
}

const host = zoneHost('mail.isp.example', ['192.0.2.1']);

test('a domain entry gives its zone in the transaction that makes it, and takes it away likewise', () =>
  withDatabase(async ({ reader, writer }) => {
    const names = zoneNames(reader);
    assert.equal(lookUp('acme.example', 'MX', names, host).result, 'outside');
    const revision = await writer.execute(change, { after: 'acme.example' });
    assert.deepEqual(findZone('acme.example', names), { name: 'acme.example', serial: revision });
    assert.equal(lookUp('acme.example', 'MX', names, host).result, 'found');
    assert.equal(lookUp('example', 'MX', names, host).result, 'outside');
    await writer.execute(change, { before: 'acme.example' });
    assert.equal(lookUp('acme.example', 'MX', names, host).result, 'outside');
    assert.deepEqual(names.find('example'), { isDomain: false, hasBelow: false, changedAt: 0, changedBelowAt: 2 });
  }));

test('a change that leaves the name as it is leaves the serial, and repeating one does nothing', () =>
  withDatabase(async ({ reader, writer }) => {
    const names = zoneNames(reader);
    const made = await writer.execute(change, { after: 'acme.example' });
    await writer.execute(change, { before: 'acme.example', after: 'acme.example' });
    await writer.execute(change, { after: 'ACME.example' });
    await writer.execute(change, { before: 'other.example' });
    assert.equal(findZone('acme.example', names)?.serial, made);
    assert.equal(names.find('example')?.hasBelow, true);
    await writer.execute(change, { before: 'acme.example' });
    assert.equal(names.find('example')?.hasBelow, false);
  }));

test('a domain that DNS has no name for is left out', () =>
  withDatabase(async ({ reader, writer }) => {
    for (const domain of ['a..b', '.', '', `${'x'.repeat(64)}.example`, 'größe.example']) {
      await writer.execute(change, { after: domain });
      await writer.execute(change, { before: domain });
    }
    assert.equal(reader.get('SELECT count(*) AS rows FROM zone_name')?.['rows'], 0);
  }));

// The naive zones: the set of domains after each revision, and a zone's serial found by going back through them.

type State = readonly string[];

function apexOf(name: string, domains: State): string | undefined {
  return domains.filter((domain) => isAtOrBelow(name, domain)).sort((a, b) => a.length - b.length)[0];
}

function contentOf(zone: string, domains: State): string {
  if (apexOf(zone, domains) !== zone) return 'no zone';
  return domains.filter((domain) => isAtOrBelow(domain, zone)).join();
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
          await writer.execute(change, { ...(before && { before }), ...(after && { after }) });
          const kept = history.at(-1)!.filter((domain) => domain !== before || before === after);
          const now = after !== undefined && before !== after ? [...new Set([...kept, after])] : kept;
          history.push(now.sort());
          for (const name of all) {
            const apex = apexOf(name, now);
            const expected = apex && { name: apex, serial: serialOf(apex, history) };
            assert.deepEqual(findZone(name, names), expected, `${name} in ${now.join()}`);
            const exists = now.some((domain) => isAtOrBelow(domain, name));
            const result = !apex ? 'outside' : now.includes(name) ? 'found' : exists ? 'no-data' : 'no-name';
            assert.equal(lookUp(name, 'MX', names, host).result, result, `${name} in ${now.join()}`);
          }
        }
      }),
    ),
    { numRuns: 25 },
  );
});
