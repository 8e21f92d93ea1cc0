// Properties of transfers: what a zone transfer says is what queries say, and a difference leads from one to the other.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Revision } from '../base/ids.ts';
import { operation } from '../database/operation.ts';
import { openTestDatabase } from '../database/testing.ts';
import type { RecordType } from '../wire/dns/codes.ts';
import { isSubdomain } from '../wire/dns/name.ts';
import type { ResourceRecord } from '../wire/dns/rdata.ts';
import type { ZoneRow } from './compile.ts';
import { setRow, zoneNames } from './names.ts';
import { pathOf } from './path.ts';
import { lookUp } from './records.ts';
import { zonesUnit } from './tables.ts';
import { settingsOf } from './testing.ts';
import { type ZoneState, zoneDifference, zoneRecords, zoneState } from './transfer.ts';

const settings = settingsOf('mail.a.example', ['192.0.2.1', '2001:db8::1']);
const APEX = 'a.example';
const TYPES: readonly RecordType[] = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'SRV', 'TXT', 'CAA', 'PTR', 'TLSA'];

const set = operation(
  'test.setRow',
  async (tx, { name, row }: { readonly name: string; readonly row: ZoneRow | null }): Promise<number> => {
    const revision = await tx.nextRevision();
    await setRow(tx, pathOf(name), row ?? undefined, revision);
    return revision;
  },
);

const names = ['a.example', 'b.a.example', 'c.b.a.example', 'www.a.example', '_dmarc.a.example', '*.b.a.example'];
const rows: readonly (ZoneRow | null)[] = [
  null,
  { domain: 'mail' },
  { domain: 'plain' },
  { domain: 'mail', dmarc: 'v=DMARC1; p=quarantine' },
  { domain: 'mail', isApex: true },
  { site: [['A', '192.0.2.9']] },
  {
    site: [
      ['TXT', '"a text"'],
      ['A', '192.0.2.8'],
    ],
  },
  { site: [['NS', 'ns.c.b.a.example.']] },
  { site: [['CNAME', 'www.a.example.']] },
] as readonly (ZoneRow | null)[];

const text = (record: ResourceRecord): string => JSON.stringify(record);
const steps = fc.array(fc.record({ name: fc.constantFrom(...names), row: fc.constantFrom(...rows) }), {
  maxLength: 12,
});

test('a transfer has what queries are answered, as it is and as it was; a difference leads from one to the other', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (changes) => {
      const database = openTestDatabase([zonesUnit]);
      const { reader, writer } = database;
      const whole = (state: ZoneState) => [...zoneRecords(reader, state)].flat().map(text).sort();
      const states: { readonly state: ZoneState; readonly records: readonly string[] }[] = [];
      try {
        for (const change of [{ name: APEX, row: { domain: 'mail' } as ZoneRow }, ...changes]) {
          if (change.name === APEX && change.row?.domain === undefined) continue;
          await writer.execute(set, change);
          const state = reader.snapshot(() => zoneState(reader, APEX, settings))!;
          const records = whole(state);
          assert.equal(new Set(records).size, records.length);
          states.push({ state, records });
          judge(zoneNames(reader), records);
        }
        const last = states.at(-1)!;
        for (const { state, records } of states) {
          assert.deepEqual(whole(state), records);
          const difference = zoneDifference(reader, last.state, state.zone.serial as Revision)!;
          const removed = new Set(difference.removed.map(text));
          const after = [...records.filter((one) => !removed.has(one)), ...difference.added.map(text)].sort();
          assert.deepEqual(after, last.records);
          for (const one of removed) assert.ok(records.includes(one));
        }
      } finally {
        database.close();
      }
    }),
    { numRuns: 60 },
  );
});

/** Each name of the transfer and some others, each type: the same records, where the answer is the zone's own. */
function judge(source: ReturnType<typeof zoneNames>, records: readonly string[]): void {
  const transferred = records.map((one) => JSON.parse(one) as ResourceRecord);
  const asked = new Set([...names, ...transferred.map(({ name }) => name), 'mail.a.example', '_imaps._tcp.a.example']);
  for (const name of asked)
    for (const type of TYPES) {
      const found = lookUp(name, type, { names: source, settings });
      const isOwn = found.result === 'found' && found.zones.length === 1 && found.zones[0] === APEX;
      if (found.result === 'referral' || !isOwn) continue;
      const answers = found.answers.filter((one) => one.name === name && one.type === type).map(text);
      const isHere = transferred.some((one) => one.name === name);
      const isWild =
        !isHere && transferred.some((one) => one.name.startsWith('*.') && isSubdomain(name, one.name.slice(2)));
      const said = transferred.filter((one) => one.name === name && one.type === type).map(text);
      if (!isWild) assert.deepEqual(said.sort(), answers.sort(), `${name} ${type}`);
    }
  for (const one of transferred) {
    const found = lookUp(one.name, one.type, { names: source, settings });
    if (found.result === 'found' && found.zones[0] === APEX)
      assert.ok(found.answers.map(text).includes(text(one)), text(one));
    else assert.ok(found.result === 'referral' || found.result === 'found', text(one));
    assert.ok(isSubdomain(one.name, APEX));
  }
}
