// Entries taken over from another server, against a naive tree: the same names, values, superiors and members after any puts,
// moves and removals in any order, an exact index, and a log that leads back to nothing.

import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import fc from 'fast-check';
import { idOf } from '../base/ids.ts';
import { operation } from '../database/operation.ts';
import { entryByUuid, findEntry } from './entries.ts';
import { type Entry, textValues } from './entry.ts';
import { indexKeyFor } from './indexes.ts';
import { readMemberValues, withMembers } from './member-values.ts';
import {
  applyMirrored,
  type MirroredChange,
  type MirrorOptions,
  type MovedSlice,
  moveSliceBelow,
  nameMeanwhile,
} from './mirrored-change.ts';
import { loggedChanges, openTestDirectory, searchAll, type TestDirectory } from './testing.ts';

let directory: TestDirectory;
before(async () => {
  directory = await openTestDirectory();
});
after(() => directory.close());

const apply = operation(
  'test.applyMirrored',
  (tx, { change, options }: { change: MirroredChange; options: MirrorOptions }) => applyMirrored(tx, change, options),
);
const mirror = (change: MirroredChange, options: Partial<MirrorOptions> = {}) =>
  directory.writer.execute(apply, { change, options: { source: 'corp', author: 'cn=corp', now: 1, ...options } });

const slice = operation('test.moveSlice', (tx, moved: MovedSlice) =>
  moveSliceBelow(tx, moved, { source: 'corp', author: 'cn=corp', now: 1 }),
);

const uuidOf = (run: number, number: number) =>
  `${run.toString(16).padStart(8, '0')}-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;

type ModelEntry = { readonly dn: string; readonly attributes: ReadonlyMap<string, readonly string[]> };
type Model = Map<string, ModelEntry>;
const above = (dn: string) => dn.slice(dn.indexOf(',') + 1);

/** As a tree by names alone would do it. */
function applyModel(model: Model, change: MirroredChange): boolean {
  if (change.kind === 'removal') {
    model.delete(change.uuid);
    return true;
  }
  const { uuid, dn } = change.entry;
  const old = model.get(uuid)?.dn;
  if (old !== undefined && `,${above(dn)}`.endsWith(`,${old}`)) return false;
  const attributes = new Map(change.entry.attributes.map(({ name, values }) => [name, values as string[]]));
  if (old === undefined) makeRoom(model, dn);
  else rename(model, uuid, dn);
  model.set(uuid, { dn, attributes });
  return true;
}

/** All below go along, those nearest first. */
function rename(model: Model, uuid: string, dn: string): void {
  if (model.get(uuid)!.dn === dn) return;
  makeRoom(model, dn);
  const old = model.get(uuid)!.dn;
  model.set(uuid, { ...model.get(uuid)!, dn });
  const below = [...model].filter(([, entry]) => entry.dn.endsWith(`,${old}`));
  below.sort(([, one], [, other]) => one.dn.split(',').length - other.dn.split(',').length);
  for (const [each, entry] of below) {
    const place = `${entry.dn.slice(0, -old.length)}${dn}`;
    if (model.get(each)!.dn === place) continue;
    makeRoom(model, place);
    model.set(each, { ...model.get(each)!, dn: place });
  }
}

/** Whoever has the name stands under another one until he is told of. */
function makeRoom(model: Model, dn: string): void {
  const standing = [...model].find(([, entry]) => entry.dn === dn)?.[0];
  if (standing !== undefined) rename(model, standing, `entryUUID=${standing},${above(dn)}`);
}

const rdn = fc.constantFrom('cn=a', 'cn=b', 'cn=c');
const names = fc.array(rdn, { minLength: 1, maxLength: 4 });
const VALUES = ['a', 'b', 'c', 'd'];
const attributes = fc.record({
  sn: fc.subarray(VALUES),
  uid: fc.subarray(VALUES),
  favouriteColour: fc.subarray(VALUES),
  uniqueMember: fc.subarray(VALUES.map((value) => `cn=${value}`)),
});
const change = fc.oneof(
  { weight: 4, arbitrary: fc.record({ number: fc.integer({ min: 1, max: 7 }), names, attributes }) },
  { weight: 1, arbitrary: fc.record({ number: fc.integer({ min: 1, max: 7 }) }) },
);

let runs = 0;

it('what was taken over is what a naive tree is, after any changes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 40, size: 'max' }), async (steps) => {
      const run = ++runs;
      const base = `dc=run${run},dc=example`;
      const { revision } = directory.reader.snapshot(() => ({ revision: directory.reader.revision() }));
      const model: Model = new Map();
      for (const step of steps) {
        const uuid = uuidOf(run, step.number);
        const each: MirroredChange =
          'names' in step
            ? { kind: 'put', entry: entryOf(uuid, `${step.names.join(',')},${base}`, step.attributes) }
            : { kind: 'removal', uuid };
        const isTaken = applyModel(model, each);
        await (isTaken ? mirror(each) : assert.rejects(mirror(each), /below itself/));
      }
      const entries = [...model.keys()].map((uuid) => entryByUuid(directory.reader, uuid));
      const all = directory.reader.arrays('SELECT uuid FROM dit WHERE source = ? AND uuid LIKE ?', 'corp', like(run));
      assert.deepEqual(all.flat().sort(), [...model.keys()].sort());
      for (const entry of entries) check(model, entry!);
      checkLog(revision, entries as Entry[]);
    }),
    { numRuns: 60 },
  );
});

const like = (run: number) => `${run.toString(16).padStart(8, '0')}-%`;

function entryOf(uuid: string, dn: string, values: Record<string, readonly string[]>) {
  const given = Object.entries(values).map(([name, each]) => ({ name, values: each }));
  return {
    ...{ uuid, dn, createdAt: 1, modifiedAt: 2 },
    attributes: [...given, { name: 'objectClass', values: ['pilotThing', 'person'] }],
  };
}

function check(model: Model, entry: Entry): void {
  const { reader } = directory;
  const { dn, attributes } = model.get(entry.uuid)!;
  assert.equal(entry.dn, dn);
  const superior = [...model.values()].find((other) => other.dn === above(dn));
  assert.equal(entry.parent, superior && findEntry(reader, superior.dn)!.id, dn);
  const whole = withMembers(entry, readMemberValues(reader, entry.id, 0, 100));
  const plain = (all: Iterable<readonly [string, readonly unknown[]]>) =>
    [...all].filter(([, values]) => values.length > 0).map(([name, values]) => [name, [...values].sort()]);
  assert.deepEqual(
    plain([...whole.attributes.values()].map(({ name, values }) => [name, values] as const)).sort(),
    plain(attributes).sort(),
  );
  const expected = new Set<string>();
  for (const { name, values } of entry.attributes.values())
    for (const value of values) expected.add(indexKeyFor(name, value)?.join(' ') ?? '');
  expected.delete('');
  const rows = reader.arrays('SELECT attribute, value FROM dit_index WHERE entry = ?', entry.id);
  assert.deepEqual(rows.map((row) => row.join(' ')).sort(), [...expected].sort());
}

function checkLog(since: number, entries: readonly Entry[]): void {
  const states = new Map<string, { dn: string; values: Map<string, unknown[]> }>();
  for (const entry of entries) {
    const whole = withMembers(entry, readMemberValues(directory.reader, entry.id, 0, 100));
    const values = new Map(
      [...whole.attributes.values()].map(({ name, values: held }) => [name, [...held] as unknown[]]),
    );
    states.set(entry.uuid, { dn: entry.dn, values });
  }
  for (const { uuid, kind, dn, newDn, attributes } of loggedChanges(directory.reader, since).reverse()) {
    const state = states.get(uuid) ?? { dn, values: new Map<string, unknown[]>() };
    assert.equal(state.dn, newDn ?? dn);
    for (const { name, removed, added } of attributes) {
      const kept = (state.values.get(name) ?? []).filter((value) => !added.includes(value as string));
      if (kept.length + removed.length === 0) state.values.delete(name);
      else state.values.set(name, [...kept, ...removed]);
    }
    if (kind === 'add') {
      assert.equal(state.values.size, 0);
      states.delete(uuid);
    } else states.set(uuid, { ...state, dn });
  }
  assert.equal(states.size, 0);
}

it('an entry of ours, or of another source, is not touched: neither by its name nor by its UUID', async () => {
  const own = await directory.add('cn=own,o=internet', { objectClass: 'person', cn: 'own', sn: 'own' });
  const uuid = uuidOf(999_999, 1);
  const at = (dn: string, id: string): MirroredChange => ({ kind: 'put', entry: entryOf(id, dn, { sn: ['x'] }) });
  await assert.rejects(mirror(at('cn=own,o=internet', uuid)), /not of this source/);
  await assert.rejects(mirror(at('cn=else,dc=example', own.after!.uuid)), /not of this source/);
  assert.deepEqual(await mirror({ kind: 'removal', uuid: own.after!.uuid }), []);
  await mirror(at('cn=theirs,dc=two', uuid));
  await assert.rejects(mirror(at('cn=theirs,dc=two', uuid), { source: 'other' }), /not of this source/);
  assert.deepEqual(await mirror({ kind: 'removal', uuid }, { source: 'other' }), []);
  const [entry] = searchAll(directory.reader, { base: 'cn=theirs,dc=two', scope: 'base', filter: ALL }, 1);
  assert.deepEqual(textValues(entry!, 'objectclass'), ['pilotThing', 'person']);
  assert.equal(entry!.source, 'corp');
});

const ALL = { kind: 'present', attribute: 'objectClass' } as const;

it('operational attributes of ours stay with an entry of a source, and theirs do not come', async () => {
  const uuid = uuidOf(999_999, 2);
  const dn = 'cn=kept,dc=three';
  const values = {
    cn: ['kept'],
    sn: ['x'],
    aci: ['(version 3.0; acl "theirs"; allow (all) userdn = "ldap:///anyone";)'],
  };
  await mirror({ kind: 'put', entry: entryOf(uuid, dn, values) });
  const add = { operation: 'add', attribute: 'waypostToken', values: ['1 a 0 api 0000'] } as const;
  await directory.apply({ kind: 'modify', dn, modifications: [add] }, { ofServer: true });
  await mirror({
    kind: 'put',
    entry: { ...entryOf(uuid, dn, { cn: ['kept'], sn: ['y'] }), csn: '20261127000000.000000Z#000001#001#000000' },
  });
  const entry = entryByUuid(directory.reader, uuid)!;
  assert.equal(entry.csn, '20261127000000.000000Z#000001#001#000000');
  assert.deepEqual(textValues(entry, 'sn'), ['y']);
  assert.deepEqual(textValues(entry, 'wayposttoken'), ['1 a 0 api 0000']);
  assert.equal(entry.attributes.has('aci'), false);
});

it('a name that is passed on takes nothing of ours from who has had it, nor what is below it', async () => {
  const [one, two, below] = [uuidOf(999_999, 4), uuidOf(999_999, 5), uuidOf(999_999, 6)];
  const put = (uuid: string, dn: string) =>
    mirror({ kind: 'put', entry: entryOf(uuid, dn, { cn: [dn.slice(3, dn.indexOf(','))], sn: ['x'] }) });
  await put(one, 'cn=one,dc=five');
  await put(two, 'cn=two,dc=five');
  await put(below, 'cn=below,cn=two,dc=five');
  for (const dn of ['cn=one,dc=five', 'cn=two,dc=five']) {
    const add = { operation: 'add', attribute: 'waypostToken', values: [`1 a 0 api ${dn}`] } as const;
    await directory.apply({ kind: 'modify', dn, modifications: [add] }, { ofServer: true });
  }
  await put(one, 'cn=two,dc=five');
  await put(two, 'cn=one,dc=five');
  const names = () => [one, two, below].map((uuid) => entryByUuid(directory.reader, uuid)?.dn);
  const tokens = () => [one, two].map((uuid) => textValues(entryByUuid(directory.reader, uuid)!, 'wayposttoken')[0]);
  assert.deepEqual(names(), ['cn=two,dc=five', 'cn=one,dc=five', 'cn=below,cn=one,dc=five']);
  assert.deepEqual(tokens(), ['1 a 0 api cn=one,dc=five', '1 a 0 api cn=two,dc=five']);
  await mirror({ kind: 'removal', uuid: two });
  assert.deepEqual(names(), ['cn=two,dc=five', undefined, 'cn=below,cn=one,dc=five']);
});

it('a name that goes on behind a blank is not below', async () => {
  const [one, two] = [uuidOf(999_999, 7), uuidOf(999_999, 8)];
  const put = (uuid: string, dn: string) => mirror({ kind: 'put', entry: entryOf(uuid, dn, { sn: ['x'] }) });
  await put(one, 'ou=old,dc=six');
  await put(two, 'cn=x,ou=old people,dc=six');
  await put(one, 'ou=new,dc=six');
  assert.equal(entryByUuid(directory.reader, two)?.dn, 'cn=x,ou=old people,dc=six');
});

it('what is below a container moves before it a slice at a time, and is in the end what it would be at once', async () => {
  const uuid = (number: number) => uuidOf(999_998, number);
  const put = (number: number, dn: string) => mirror({ kind: 'put', entry: entryOf(uuid(number), dn, {}) });
  const entryAt = (number: number) => entryByUuid(directory.reader, uuid(number))!;
  const below = Array.from({ length: 24 }, (_, i) => (i % 3 === 0 ? `ou=u${i}` : `cn=p${i},ou=u${i - (i % 3)}`));
  // Somebody has the name, and the same names below it.
  const containers = [
    { number: 100, name: 'ou=old,dc=seven', to: 'ou=new,dc=seven' },
    { number: 200, name: 'ou=new,dc=seven', to: 'ou=other,dc=seven' },
  ];
  const all = containers.flatMap(({ number }) => [number, ...below.keys().map((index) => number + 1 + index)]);
  for (const { number, name } of containers) {
    await put(number, name);
    for (const [index, own] of below.entries()) await put(number + 1 + index, `${own},${name}`);
  }
  const superiors = () => all.map((number) => entryAt(number).parent);
  const before = superiors();
  const moveAll = async (number: number, to: string): Promise<number[]> => {
    const slices: number[] = [];
    do {
      const moved = { from: entryAt(number).dn, to, uuid: uuid(number), limit: 10 };
      slices.push((await directory.writer.execute(slice, moved)).length);
      assert.deepEqual(superiors(), before);
    } while (slices.at(-1) !== 0);
    return slices;
  };
  assert.deepEqual(await moveAll(200, nameMeanwhile(entryAt(200)).text), [10, 10, 4, 0]);
  // The one that has the name makes room with the first.
  assert.deepEqual(await moveAll(100, 'ou=new,dc=seven'), [1 + 10, 10, 4, 0]);
  for (const { number, to } of containers) await put(number, to);
  assert.deepEqual(superiors(), before);
  for (const { number, to } of containers)
    for (const [index, own] of below.entries()) assert.equal(entryAt(number + 1 + index).dn, `${own},${to}`);
});

it("another server's revision is the entry's; the directory's is who takes it over's to raise", async () => {
  const uuid = uuidOf(999_999, 3);
  const revision = (directory.reader.revision() + 1000) as never;
  const change: MirroredChange = { kind: 'put', entry: entryOf(uuid, 'cn=r,dc=four', { sn: ['x'] }) };
  await mirror(change, { source: '', revision });
  assert.equal(entryByUuid(directory.reader, uuid)!.revision, revision);
  assert.ok(directory.reader.revision() < revision);
  assert.deepEqual(await mirror(change, { source: '', revision }), []);
});

it("an id that another entry has by now, as after a restore of the other server, is that entry's", async () => {
  const put = (number: number, dn: string, revision: number) =>
    mirror(
      { kind: 'put', entry: { ...entryOf(uuidOf(999_998, number), dn, { sn: ['x'] }), id: 777_777 } },
      { source: '', revision: idOf(revision) },
    );
  await put(1, 'uid=lost,ou=ids,o=internet', 777_777);
  const changes = await put(2, 'uid=restored,ou=ids,o=internet', 777_778);
  assert.deepEqual(
    changes.map(({ kind, before, after }) => [kind, (after ?? before)?.dn]),
    [
      ['delete', 'uid=lost,ou=ids,o=internet'],
      ['add', 'uid=restored,ou=ids,o=internet'],
    ],
  );
  assert.equal(entryByUuid(directory.reader, uuidOf(999_998, 1)), undefined);
  assert.equal(entryByUuid(directory.reader, uuidOf(999_998, 2))?.id, 777_777);
});
