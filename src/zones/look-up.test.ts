// What a thread remembers of the zones is what the tables say, whatever has moved, and a look-up takes as many statements among many
// domains as among few.
//
//   WAYPOST_ZONES_MANY=100000    that many instead of 2,000

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TENANT } from '../base/tenant.ts';
import { openForWriting } from '../database/connection.ts';
import { operation, type Reader } from '../database/operation.ts';
import { openTestDatabase, type TestDatabase } from '../database/testing.ts';
import type { RecordType } from '../wire/dns/codes.ts';
import type { ZoneRow } from './compile.ts';
import { zoneLookUp } from './look-up.ts';
import { setRow, zoneNames } from './names.ts';
import { pathOf } from './path.ts';
import { lookUp } from './records.ts';
import { readZoneSettings, setSetting, type ZoneKeyRow } from './settings.ts';
import { zonesUnit } from './tables.ts';
import { testEntry } from './testing.ts';

const site = { hostname: 'mail.a.example', mode: 'embedded', addresses: ['192.0.2.1'] } as const;
const MANY = Number(process.env['WAYPOST_ZONES_MANY'] ?? 2000);

type Change = readonly { readonly name: string; readonly row: ZoneRow | null }[];

const setRows = operation('test.setRows', async (tx, rows: Change): Promise<void> => {
  const revision = await tx.nextRevision();
  for (const { name, row } of rows)
    await setRow(tx, pathOf(name), row === null ? undefined : { row, entry: testEntry(name) }, revision);
});

const setKey = operation('test.setKey', async (tx, key: ZoneKeyRow & { readonly isGone?: true }): Promise<void> => {
  const { isGone, ...row } = key;
  await setSetting(tx, row, isGone ? undefined : row, await tx.nextRevision());
});

async function withDatabase(run: (database: TestDatabase) => Promise<void>): Promise<void> {
  const database = openTestDatabase([zonesUnit]);
  try {
    await run(database);
  } finally {
    database.close();
  }
}

const key = (domain?: string): ZoneKeyRow => ({
  ...{ kind: 'key', key: 'r1', dn: 'cn=r1', type: 'rsa', public: 'AAAA', state: 'signing', changedAt: 1 },
  ...(domain === undefined ? {} : { domain }),
});

const names = ['a.example', 'b.a.example', 'c.b.a.example', '*.a.example', 'x.a.example', 'example', 'other.example'];
const rows: readonly (ZoneRow | null)[] = [
  null,
  { domain: 'mail' },
  { domain: 'none' },
  { domain: 'mail', dmarc: 'v=DMARC1; p=reject' },
  { site: [['A', '192.0.2.9']] },
  { site: [['NS', 'ns.elsewhere.example.']] },
  { site: [['CNAME', 'x.a.example.']] },
  { isTheirs: true },
];
const questions = [
  ...names,
  'y.a.example',
  'y.x.a.example',
  '_dmarc.b.a.example',
  'r1._domainkey.a.example',
  site.hostname,
];
const types: readonly RecordType[] = ['MX', 'A', 'TXT', 'SOA', 'ANY'];

const step = fc.oneof(
  fc.record({ name: fc.constantFrom(...names), row: fc.constantFrom(...rows) }),
  fc.record({ key: fc.constantFrom(key(), key('a.example'), key('b.a.example')), isGone: fc.boolean() }),
);

test('what is remembered is what the tables say, after each change', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 10 }), (steps) =>
      withDatabase(async ({ reader, writer }) => {
        const remembering = zoneLookUp(reader, site);
        for (const step of steps) {
          if ('row' in step) await writer.execute(setRows, [step]);
          else await writer.execute(setKey, { ...step.key, ...(step.isGone ? { isGone: true } : {}) });
          const parts = { names: zoneNames(reader), settings: readZoneSettings(reader, site) };
          for (const name of questions)
            for (const type of types)
              assert.deepEqual(remembering(name, type), lookUp(name, type, parts), `${name} ${type}`);
        }
      }),
    ),
    { numRuns: 15 },
  );
});

test('what is read while a change comes is of one state', async () => {
  await withDatabase(async ({ reader, writer, path }) => {
    await writer.execute(setRows, [
      { name: 'a.example', row: { domain: 'mail' } },
      { name: 'b.a.example', row: { domain: 'mail' } },
    ]);
    const both = `tenant = ${TENANT} AND path IN ('example a ', 'example a b ')`;
    const change = openForWriting(path, 'OFF');
    let isToCome = true;
    const slow: Reader = {
      ...counted(reader).reader,
      arrays(sql, ...parameters) {
        const found = reader.arrays(sql, ...parameters);
        // Between the name above and the name itself.
        if (isToCome && parameters.includes('example a ')) {
          isToCome = false;
          change.exec(`BEGIN; UPDATE revision SET value = value + 1;
            INSERT INTO zone_change (tenant, revision, path, kind, before, at)
              SELECT tenant, (SELECT value FROM revision), path, 'name', row, 1 FROM zone_name WHERE ${both};
            UPDATE zone_name SET row = NULL, below = 0 WHERE ${both}; COMMIT`);
        }
        return found;
      },
    };
    const remembering = zoneLookUp(slow, site);
    assert.equal(remembering('b.a.example', 'MX').result, 'outside');
    assert.ok(!isToCome);
    change.close();
  });
});

test('a wildcard holds where a name beside it is gone, and where names beside it have nothing below', () =>
  withDatabase(async ({ reader, writer }) => {
    const remembering = zoneLookUp(reader, site);
    await writer.execute(setRows, [
      { name: 'a.example', row: { domain: 'mail' } },
      { name: '*.a.example', row: { site: [['A', '192.0.2.9']] } },
      { name: 'x.a.example', row: { site: [['A', '192.0.2.8']] } },
    ]);
    assert.equal(remembering('y.x.a.example', 'A').result, 'no-name');
    await writer.execute(setRows, [{ name: 'x.a.example', row: null }]);
    assert.equal(remembering('y.x.a.example', 'A').result, 'found');
    assert.equal(remembering('x.a.example', 'A').result, 'found');
  }));

test(`a look-up takes as many statements among ${MANY} domains as among ten`, async () => {
  const counts: number[][] = [];
  for (const count of [10, MANY])
    await withDatabase(async ({ reader, writer }) => {
      for (let from = 0; from < count; from += 1000) {
        const page = Array.from({ length: Math.min(1000, count - from) }, (_, i): Change[number] => ({
          name: `d${from + i}.example`,
          row: { domain: 'mail' },
        }));
        await writer.execute(setRows, page);
      }
      const counting = counted(reader);
      const remembering = zoneLookUp(counting.reader, site);
      const asked = ['d1.example', 'd2.example', '_dmarc.d3.example', 'www.d4.example', 'd5.example', 'x.elsewhere'];
      // The names above are read by the first of them.
      remembering('d0.example', 'MX');
      counts.push(
        asked.map((name) => {
          const before = counting.count();
          remembering(name, 'MX');
          return counting.count() - before;
        }),
      );
    });
  assert.deepEqual(counts[0], [1, 1, 1, 1, 1, 1]);
  assert.deepEqual(counts[1], counts[0]);
});

function counted(reader: Reader): { readonly reader: Reader; count(): number } {
  let count = 0;
  const one = <T>(read: T): T => {
    count++;
    return read;
  };
  return {
    count: () => count,
    reader: {
      get: (sql, ...parameters) => one(reader.get(sql, ...parameters)),
      all: (sql, ...parameters) => one(reader.all(sql, ...parameters)),
      arrays: (sql, ...parameters) => one(reader.arrays(sql, ...parameters)),
      revision: () => one(reader.revision()),
      routingRevision: () => one(reader.routingRevision()),
      openSnapshot: undefined,
      snapshot: (read) => one(reader.snapshot(read)),
    },
  };
}
