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
import { lookUp, type ZoneParts } from './records.ts';
import {
  type NameServerRow,
  readZoneSettings,
  setSetting,
  type ZoneHostRow,
  type ZoneKeyRow,
  type ZoneSettingRow,
  type ZoneSite,
} from './settings.ts';
import { zonesUnit } from './tables.ts';
import { found, testEntry } from './testing.ts';
import { type ZoneState, zoneDifference, zoneRecords, zoneState } from './transfer.ts';

const site: ZoneSite = { hostname: 'mail.a.example', mode: 'embedded', addresses: ['192.0.2.1', '2001:db8::1'] };
const APEX = 'a.example';
const TYPES: readonly RecordType[] = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'SRV', 'TXT', 'CAA', 'PTR', 'TLSA'];

const set = operation(
  'test.setRow',
  async (tx, { name, row }: { readonly name: string; readonly row: ZoneRow | null }): Promise<number> => {
    const revision = await tx.nextRevision();
    await setRow(tx, pathOf(name), row === null ? undefined : { row, entry: testEntry(name) }, revision);
    return revision;
  },
);

const put = operation(
  'test.putSetting',
  async (tx, { at, isGone }: { readonly at: ZoneSettingRow; readonly isGone: boolean }): Promise<number> => {
    const revision = await tx.nextRevision();
    await setSetting(tx, at, isGone ? undefined : at, revision);
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
const address = fc.constantFrom('192.0.2.31', '192.0.2.32', '2001:db8::31');
const service = fc.constantFrom(
  ...[
    { service: 'smtp', port: 25 },
    { service: 'dns', port: 53 },
    { service: 'imaps', port: 993 },
    { service: 'submissions', port: 465 },
  ],
);
const host: fc.Arbitrary<ZoneHostRow> = fc.record({
  kind: fc.constant('host'),
  // Ours, one in the zone, one that may be at a name of an entry or below a delegation, one elsewhere.
  key: fc.constantFrom('mail.a.example', 'mx2.a.example', 'c.b.a.example', 'mx.elsewhere.example'),
  addresses: fc.uniqueArray(address),
  services: fc.uniqueArray(service),
  preference: fc.constantFrom(10, 20),
});
const nameServer: fc.Arbitrary<NameServerRow> = fc.record({
  kind: fc.constant('nameserver'),
  key: fc.constantFrom('ns2.a.example', 'www.a.example', 'ns.elsewhere.example'),
  dn: fc.constant('cn=ns'),
  role: fc.constantFrom('primary', 'secondary'),
  addresses: fc.constantFrom([], [{ address: '192.0.2.41', port: 53 }]),
  zones: fc.constantFrom([], ['isp.example']),
  watch: fc.constant([]),
});
const key = (domain: fc.Arbitrary<string | undefined>): fc.Arbitrary<ZoneKeyRow> =>
  fc
    .record({
      domain,
      key: fc.constantFrom('s1', 's2'),
      type: fc.constantFrom('rsa', 'ed25519'),
      public: fc.constantFrom('AAAA', 'BBBB'),
      state: fc.constantFrom('new', 'signing', 'retired'),
    })
    .map(({ domain: of, ...row }) => ({
      kind: 'key',
      dn: 'cn=key',
      changedAt: 1,
      ...row,
      ...(of === undefined ? {} : { domain: of }),
    }));
const domainKey = key(fc.constantFrom('a.example', 'b.a.example', 'c.b.a.example'));
const siteSetting = fc.oneof(host, nameServer, key(fc.constant(undefined)));

type Step =
  | { readonly name: string; readonly row: ZoneRow | null }
  | { readonly at: ZoneSettingRow; readonly isGone: boolean };

const isGone = fc.boolean();
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ name: fc.constantFrom(...names), row: fc.constantFrom(...rows) }) },
    { weight: 3, arbitrary: fc.record({ at: domainKey, isGone }) },
    { weight: 2, arbitrary: fc.record({ at: siteSetting, isGone }) },
  ),
  { maxLength: 14 },
);

test('a transfer has what queries are answered, as it is and as it was; a difference leads from one to the other', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (changes) => {
      const database = openTestDatabase([zonesUnit]);
      const { reader, writer } = database;
      const whole = (state: ZoneState) => [...zoneRecords(reader, state)].flat().map(text).sort();
      const states: { readonly state: ZoneState; readonly records: readonly string[] }[] = [];
      try {
        for (const change of [{ name: APEX, row: { domain: 'mail' } as ZoneRow }, ...changes]) {
          if ('at' in change) await writer.execute(put, change);
          else if (change.name === APEX && change.row?.domain === undefined) continue;
          else await writer.execute(set, change);
          const settings = readZoneSettings(reader, site);
          const state = reader.snapshot(() => zoneState(reader, APEX, settings))!;
          const records = whole(state);
          assert.equal(new Set(records).size, records.length);
          states.push({ state, records });
          judge({ names: zoneNames(reader), settings }, records);
        }
        const last = states.at(-1)!;
        for (const { state, records } of states) {
          assert.deepEqual(whole(state), records);
          const serial = state.zone.serial as Revision;
          if (serial === last.state.zone.serial) assert.deepEqual(records, last.records);
          const difference = found(zoneDifference(reader, last.state, serial));
          // A host, a name server or a key of the site says something at so many names that the whole zone is told.
          if (serial < last.state.settings.changedAt) {
            assert.equal(difference, undefined);
            continue;
          }
          assert.ok(difference !== undefined);
          const told = (pages: Iterable<readonly ResourceRecord[]>) => [...pages].flat().map(text);
          const [gone, came] = [told(difference.removed), told(difference.added)];
          const removed = new Set(gone);
          assert.equal(removed.size, gone.length);
          const after = [...records.filter((one) => !removed.has(one)), ...came].sort();
          assert.deepEqual(after, last.records);
          for (const one of removed) assert.ok(records.includes(one));
        }
      } finally {
        database.close();
      }
    }),
    { numRuns: 80 },
  );
});

/** Each name of the transfer and some others, each type: the same records, where the answer is the zone's own. */
function judge(parts: ZoneParts, records: readonly string[]): void {
  const transferred = records.map((one) => JSON.parse(one) as ResourceRecord);
  const asked = new Set([
    ...names,
    ...transferred.map(({ name }) => name),
    ...['mail.a.example', 'mx2.a.example', '_imaps._tcp.a.example', 's1._domainkey.a.example'],
    ...['ns2.a.example', 's2._domainkey.b.a.example', 's1._domainkey.mx2.a.example'],
  ]);
  for (const name of asked)
    for (const type of TYPES) {
      const found = lookUp(name, type, parts);
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
    const found = lookUp(one.name, one.type, parts);
    if (found.result === 'found' && found.zones[0] === APEX)
      assert.ok(found.answers.map(text).includes(text(one)), text(one));
    else assert.ok(found.result === 'referral' || found.result === 'found', text(one));
    assert.ok(isSubdomain(one.name, APEX));
  }
}
