// The catalog has the zones of ours, as it is and as it was; a difference leads from one to the other.
//
// The naive catalog: a map of the rows after each change, and whose zones begin where.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DAY_MS } from '../base/duration.ts';
import type { Revision } from '../base/ids.ts';
import { operation } from '../database/operation.ts';
import { openTestDatabase } from '../database/testing.ts';
import type { ResourceRecord } from '../wire/dns/rdata.ts';
import { catalogDifference, catalogRecords, catalogState } from './catalog.ts';
import { pruneZoneChanges } from './changes.ts';
import type { ZoneRow } from './compile.ts';
import { findZone } from './records.ts';
import { type NameServerRow, readZoneSettings, setSetting, type ZoneSite } from './settings.ts';
import { zonesUnit } from './tables.ts';
import { found, type NamedRow, namesOf, setRows } from './testing.ts';
import type { ZoneState } from './transfer.ts';

const site: ZoneSite = { hostname: 'mail.a.example', mode: 'embedded', addresses: ['192.0.2.1'] };
const CATALOG = 'catalog.mail.a.example';

const setPrimary = operation('test.setPrimary', async (tx, zones: readonly string[]): Promise<void> => {
  const common = { kind: 'nameserver', key: 'ns', dn: 'cn=ns', role: 'primary', addresses: [], watch: [] } as const;
  const row: NameServerRow = { ...common, zones };
  await setSetting(tx, row, zones.length === 0 ? undefined : row, await tx.nextRevision());
});

const names = ['a.example', 'b.a.example', 'c.b.a.example', 'd.a.example', 'b.example', 'x.b.example', 'example'];
const rows: readonly (ZoneRow | null)[] = [
  ...[null, null, { domain: 'mail' }, { domain: 'mail' }, { domain: 'none' }, { domain: 'mail', isApex: true }],
  ...[{ isTheirs: true }, { domain: 'mail', isTheirs: true }, { domain: 'mail', dmarc: 'v=DMARC1; p=none' }],
  ...[{ site: [['A', '192.0.2.9']] }, { domain: 'mail', site: [['NS', 'ns.elsewhere.example.']] }],
] as readonly (ZoneRow | null)[];

const named: fc.Arbitrary<NamedRow> = fc.record({
  name: fc.constantFrom(...names),
  row: fc.constantFrom(...rows),
  entry: fc.constantFrom('1'.repeat(32), '2'.repeat(32), '3'.repeat(32)),
});
type Step = readonly NamedRow[] | { readonly zones: readonly string[] };
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 9, arbitrary: fc.array(named, { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.record({ zones: fc.constantFrom([], ['b.example']) }) },
  ),
  { maxLength: 20 },
);

const text = (record: ResourceRecord): string => JSON.stringify(record);
const flat = (pages: Iterable<readonly ResourceRecord[]>): string[] => [...pages].flat().map(text);

function naive(model: ReadonlyMap<string, NamedRow>, state: ZoneState): string[] {
  const rowsByName = Object.fromEntries([...model].map(([name, { row }]) => [name, row!]));
  const parts = { names: namesOf(rowsByName, 1), settings: state.settings };
  const members = [...model.values()].filter(({ name }) => findZone(name, parts)?.name === name);
  return members.map(({ name, entry }) => `${entry}.zones.${CATALOG} ${name}`).sort();
}

function membersOf(records: readonly string[]): string[] {
  const read = records.map((one) => JSON.parse(one) as ResourceRecord);
  return read.flatMap((one) => (one.type === 'PTR' ? `${one.name} ${one.target}` : [])).sort();
}

test('it has the zones of ours, as it is and as it was; a difference leads from one to the other', async () => {
  let differences = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (changes) => {
      const database = openTestDatabase([zonesUnit]);
      const { reader, writer } = database;
      const model = new Map<string, NamedRow>();
      const states: { readonly state: ZoneState; readonly records: readonly string[] }[] = [];
      try {
        for (const step of changes) {
          if ('zones' in step) await writer.execute(setPrimary, step.zones);
          else {
            await writer.execute(setRows, step);
            for (const one of step)
              if (one.row === null) model.delete(one.name);
              else model.set(one.name, one);
          }
          const state = reader.snapshot(() => catalogState(reader, readZoneSettings(reader, site)));
          const records = flat(catalogRecords(reader, state)).sort();
          assert.deepEqual(membersOf(records), naive(model, state));
          assert.equal(records.length, membersOf(records).length + 2);
          states.push({ state, records });
        }
        const last = states.at(-1);
        for (const { state, records } of states) {
          assert.deepEqual(flat(catalogRecords(reader, state)).sort(), records);
          const serial = state.zone.serial as Revision;
          if (serial === last!.state.zone.serial) assert.deepEqual(records, last!.records);
          const difference = found(catalogDifference(reader, last!.state, serial));
          assert.equal(difference === undefined, serial < last!.state.settings.changedAt);
          if (difference === undefined) continue;
          const [removed, added] = [flat(difference.removed), flat(difference.added)];
          for (const one of removed) assert.ok(records.includes(one));
          for (const one of added) assert.ok(!records.includes(one));
          const after = [...records.filter((one) => !removed.includes(one)), ...added].sort();
          assert.deepEqual(after, last!.records);
          if (removed.length > 0 && added.length > 0) differences++;
        }
      } finally {
        database.close();
      }
    }),
    { numRuns: 60 },
  );
  // Chance decides how many there are: some 110.
  assert.ok(differences > 40, String(differences));
});

test('one that is being told stays what it was, or ends where what has changed is not known any more', async (context) => {
  const database = openTestDatabase([zonesUnit]);
  context.after(() => database.close());
  const { reader, writer } = database;
  const many = Array.from({ length: 300 }, (_, i) => ({
    name: `z${String(i).padStart(3, '0')}.example`,
    row: { domain: 'mail' } as ZoneRow,
    entry: String(i).padStart(32, '0'),
  }));
  await writer.execute(setRows, many);
  const state = reader.snapshot(() => catalogState(reader, readZoneSettings(reader, site)));
  const before = flat(catalogRecords(reader, state));
  assert.equal(before.length, 302);
  const told: string[] = [];
  for (const page of catalogRecords(reader, state)) {
    told.push(...page.map(text));
    // The last that is there goes, and the first comes again as another one.
    const last = many.pop()!;
    await writer.execute(setRows, [
      { ...last, row: null },
      { name: 'a.example', row: { domain: 'mail' }, entry: 'a'.repeat(32) },
      { ...many[0]!, entry: String(told.length).padStart(32, 'f') },
    ]);
  }
  assert.deepEqual(told, before);

  const pages = catalogRecords(reader, state);
  pages.next();
  pages.next();
  const inAMonth = Date.now() + 31 * DAY_MS;
  while ((await writer.execute(pruneZoneChanges, inAMonth)) > 0);
  assert.throws(() => [...pages], /not known any more/);
  assert.equal(found(catalogDifference(reader, state, (state.revision - 1) as Revision)), undefined);
});
