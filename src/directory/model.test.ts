// The directory under random changes against a naive tree: the same answers, the same contents, an exact index, members in
// rows of their own and nowhere else, names in other entries that follow renames, moves of subtrees and deletions, and a change
// log that leads back to nothing.

import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../base/failure.ts';
import type { Filter } from '../wire/ldap/filter.ts';
import type { DirectoryChange, Entry, Modification } from './entry.ts';
import { indexKeyFor } from './indexes.ts';
import { readMemberValues, withMembers } from './member-values.ts';
import { loggedChanges, openTestDirectory, searchAll, type TestDirectory } from './testing.ts';

let directory: TestDirectory;
before(async () => {
  directory = await openTestDirectory();
});
after(() => directory.close());

/** The model: attribute name to values, by DN in lower case. Values are compared in lower case, as all of these are. */
type ModelEntry = { dn: string; attributes: Map<string, string[]> };
type Model = Map<string, ModelEntry>;

const same = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
const has = (values: readonly string[], value: string) => values.some((other) => same(other, value));
const above = (dn: string) => dn.slice(dn.indexOf(',') + 1);
const rdnOf = (dn: string) => dn.slice(0, dn.indexOf(','));
/** At a DN or below it, the superiors first. */
const within = (model: Model, dn: string) =>
  [...model.keys()].filter((key) => `,${key}`.endsWith(`,${dn}`)).sort((a, b) => a.length - b.length);
const isLeaf = (model: Model, dn: string) => ![...model.keys()].some((key) => above(key) === dn.toLowerCase());

const TEXTS = ['cn', 'sn', 'title', 'description', 'mgrpRFC822MailMember'] as const;
/** Their values are names. */
const LISTS: readonly string[] = ['uniqueMember', 'member', 'seeAlso'];
const NAMES = [...TEXTS, ...LISTS];
const MEMBERS = ['uniqueMember', 'member', 'mgrpRFC822MailMember'];
const CLASSES = ['top', 'person', 'extensibleObject'];

/** What the directory must answer; on success the model is changed. */
function apply(model: Model, change: DirectoryChange): string {
  const dn = change.dn.toLowerCase();
  const entry = model.get(dn);
  switch (change.kind) {
    case 'add': {
      if (!model.has(above(dn))) return 'noSuchObject';
      if (entry !== undefined) return 'entryAlreadyExists';
      const attributes = new Map(change.attributes.map(({ name, values }) => [name, [...values] as string[]]));
      for (const values of attributes.values()) {
        if (values.some((value, i) => has(values.slice(0, i), value))) return 'attributeOrValueExists';
      }
      const [names, name] = [attributes.get('cn') ?? [], rdnOf(change.dn).slice(3)];
      if (!has(names, name)) attributes.set('cn', [...names, name]);
      // Superiors are written as their entries write them.
      const written = `${rdnOf(change.dn)},${model.get(above(dn))!.dn}`;
      model.set(dn, { dn: written, attributes: attributes.set('objectClass', CLASSES) });
      return 'success';
    }
    case 'modify': {
      if (entry === undefined) return 'noSuchObject';
      const attributes = new Map([...entry.attributes].map(([name, values]) => [name, [...values]]));
      for (const modification of change.modifications) {
        const result = modifyModel(attributes, modification);
        if (result !== 'success') return result;
      }
      if (!has(attributes.get('cn') ?? [], rdnOf(entry.dn).slice(3))) return 'notAllowedOnRdn';
      if (!attributes.has('sn')) return 'objectClassViolation';
      entry.attributes = attributes;
      return 'success';
    }
    case 'rename': {
      if (entry === undefined) return 'noSuchObject';
      const superior = change.newSuperior ?? above(entry.dn);
      if (`,${superior.toLowerCase()}`.endsWith(`,${dn}`)) return 'unwillingToPerform';
      const parent = model.get(superior.toLowerCase());
      if (parent === undefined) return 'noSuchObject';
      const newDn = `${change.newRdn},${parent.dn}`;
      if (newDn.toLowerCase() !== dn && model.has(newDn.toLowerCase())) return 'entryAlreadyExists';
      const names = new Map<string, string | undefined>();
      const [oldValue, newValue] = [rdnOf(entry.dn).slice(3), change.newRdn.slice(3)];
      let values = entry.attributes.get('cn')!;
      if (change.deleteOldRdn) values = values.filter((value) => !same(value, oldValue));
      if (!has(values, newValue)) values = [...values, newValue];
      entry.attributes.set('cn', values);
      const moved = within(model, dn).map((key) => [key, model.get(key)!] as const);
      for (const [key] of moved) model.delete(key);
      for (const [key, each] of moved) {
        const is = { ...each, dn: `${each.dn.slice(0, each.dn.length - entry.dn.length)}${newDn}` };
        model.set(is.dn.toLowerCase(), is);
        names.set(key, is.dn);
      }
      follow(model, names);
      return 'success';
    }
    case 'delete':
      if (entry === undefined) return 'noSuchObject';
      if (!isLeaf(model, dn)) return 'notAllowedOnNonLeaf';
      model.delete(dn);
      follow(model, new Map([[dn, undefined]]));
      return 'success';
    default:
      return change satisfies never;
  }
}

/** What names an entry names it by its new name, once, or no more. */
function follow(model: Model, names: ReadonlyMap<string, string | undefined>): void {
  const moved = (value: string) => names.has(value.toLowerCase()) && names.get(value.toLowerCase()) !== value;
  for (const { attributes } of model.values())
    for (const name of LISTS) {
      const values = attributes.get(name) ?? [];
      const kept = values.filter((value) => !moved(value));
      for (const value of values.filter(moved)) {
        const is = names.get(value.toLowerCase());
        // Another spelling of the name is no other name.
        if (is !== undefined && same(is, value)) kept.push(value);
        else if (is !== undefined && !has(kept, is)) kept.push(is);
      }
      if (kept.length > 0) attributes.set(name, kept);
      else attributes.delete(name);
    }
}

function modifyModel(attributes: Map<string, string[]>, { operation, attribute, values }: Modification): string {
  let held = attributes.get(attribute) ?? [];
  if (operation === 'delete') {
    if (held.length === 0) return 'noSuchAttribute';
    if (values.length === 0) held = [];
    for (const value of values as string[]) {
      if (!has(held, value)) return 'noSuchAttribute';
      held = held.filter((other) => !same(other, value));
    }
  } else {
    if (operation === 'replace') held = [];
    else if (values.length === 0) return 'invalidAttributeSyntax';
    for (const value of values as string[]) {
      if (has(held, value)) return 'attributeOrValueExists';
      held = [...held, value];
    }
  }
  if (held.length === 0) attributes.delete(attribute);
  else attributes.set(attribute, held);
  return 'success';
}

function matches(entry: ModelEntry, filter: Filter): boolean {
  switch (filter.kind) {
    case 'and':
      return filter.filters.every((inner) => matches(entry, inner));
    case 'or':
      return filter.filters.some((inner) => matches(entry, inner));
    case 'not':
      return !matches(entry, filter.filter);
    case 'equality':
      return has(entry.attributes.get(filter.attribute) ?? [], filter.value as string);
    case 'present':
      return entry.attributes.has(filter.attribute);
    case 'substrings':
      return (entry.attributes.get(filter.attribute) ?? []).some((value) =>
        value.toLowerCase().startsWith((filter.initial as string).toLowerCase()),
      );
    default:
      throw new Error(filter.kind);
  }
}

const value = fc.constantFrom('a', 'A', 'b', 'ab', 'aB', 'c');
/** Few names, so that the changes meet each other. */
const rdn = fc.constantFrom('cn=a', 'cn=A', 'cn=b');
/** Below the run's own entry, whose place `BASE` takes: one level, or two, or three. */
const dn = fc
  .oneof(
    { weight: 6, arbitrary: rdn.map((one) => [one]) },
    { weight: 3, arbitrary: fc.tuple(rdn, rdn) },
    { weight: 1, arbitrary: fc.tuple(rdn, rdn, rdn) },
  )
  .map((rdns) => `${rdns.join(',')},BASE`);
const superior = fc.oneof(dn, fc.constant('BASE'));
const name = fc.constantFrom(...NAMES);
/** A value that is legal for the attribute. */
const fit = (attribute: string, value: string) => {
  if (attribute === 'mgrpRFC822MailMember') return `${value}@x.example`;
  return LISTS.includes(attribute) ? `cn=${value},BASE` : value;
};
const distinct = { selector: (text: string) => text.toLowerCase(), maxLength: 3 };
const values = fc.oneof(
  { weight: 9, arbitrary: fc.uniqueArray(value, { ...distinct, minLength: 1 }) },
  { weight: 1, arbitrary: fc.array(value, { maxLength: 2 }) },
);

const change: fc.Arbitrary<DirectoryChange> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .record({ dn, values: fc.uniqueArray(value, { ...distinct, minLength: 1 }), named: fc.integer({ max: 9 }) })
      .map(
        ({ dn, values, named }): DirectoryChange => ({
          kind: 'add',
          dn,
          attributes: [
            { name: 'objectClass', values: ['person', 'extensibleObject'] },
            { name: 'cn', values: named < 1 ? values : [rdnOf(dn).slice(3)] },
            { name: 'sn', values },
          ],
        }),
      ),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('modify' as const),
      dn,
      modifications: fc.array(
        fc
          .record({ operation: fc.constantFrom('add', 'delete', 'replace'), attribute: name, values })
          .map((each): Modification => ({ ...each, values: each.values.map((text) => fit(each.attribute, text)) })),
        { minLength: 1, maxLength: 3 },
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('rename' as const),
      dn,
      newRdn: rdn,
      deleteOldRdn: fc.boolean(),
      newSuperior: fc.option(superior, { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('delete' as const), dn }) },
);

const changes = fc.array(change, { minLength: 20, maxLength: 60, size: 'max' });

const { filter } = fc.letrec<{ filter: Filter; leaf: Filter }>((tie) => ({
  leaf: fc.oneof(
    fc
      .record({ kind: fc.constant('equality' as const), attribute: name, value })
      .map((item) => ({ ...item, value: fit(item.attribute, item.value) })),
    fc.record({ kind: fc.constant('present' as const), attribute: name }),
    fc.record({
      kind: fc.constant('substrings' as const),
      attribute: fc.constantFrom(...TEXTS),
      initial: value,
      any: fc.constant([]),
    }),
  ),
  filter: fc.oneof(
    { maxDepth: 3 },
    tie('leaf'),
    fc.record({ kind: fc.constantFrom('and', 'or'), filters: fc.array(tie('filter'), { maxLength: 3 }) }),
    fc.record({ kind: fc.constant('not' as const), filter: tie('filter') }),
  ),
}));

function placed(change: DirectoryChange, base: string): DirectoryChange {
  const at = (text: string) => text.replace('BASE', base);
  if (change.kind === 'modify') {
    const named = change.modifications.map((each) => ({
      ...each,
      values: each.values.map((value) => at(String(value))),
    }));
    return { ...change, dn: at(change.dn), modifications: named };
  }
  if (change.kind !== 'rename') return { ...change, dn: at(change.dn) };
  const { newSuperior } = change;
  return { ...change, dn: at(change.dn), newSuperior: newSuperior === undefined ? undefined : at(newSuperior) };
}

function placedFilter(filter: Filter, base: string): Filter {
  if (filter.kind === 'equality') return { ...filter, value: String(filter.value).replace('BASE', base) };
  if (filter.kind === 'not') return { ...filter, filter: placedFilter(filter.filter, base) };
  if (filter.kind !== 'and' && filter.kind !== 'or') return filter;
  return { ...filter, filters: filter.filters.map((each) => placedFilter(each, base)) };
}

async function resultOf(change: Promise<unknown>): Promise<string> {
  try {
    await change;
    return 'success';
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return error.ldap?.name ?? error.kind;
  }
}

const everything: Filter = { kind: 'present', attribute: 'objectClass' };
const below = (base: string, filter: Filter) =>
  searchAll(directory.reader, { base, scope: 'sub', filter }, 1000)
    .filter((entry) => !same(entry.dn, base))
    .map((entry) => withMembers(entry, readMemberValues(directory.reader, entry.id, 0, 1000)));

/** What can be compared: names and values, each sorted. */
const plain = (attributes: Iterable<readonly [string, readonly unknown[]]>) =>
  [...attributes].map(([name, values]) => [name, [...values].map(String).sort()]).sort();
const plainEntry = (entry: Entry) => [
  entry.dn,
  plain([...entry.attributes.values()].map((attribute) => [attribute.name, attribute.values] as const)),
];

let runs = 0;

it('the directory is what a naive tree is, after any changes', async () => {
  await fc.assert(
    fc.asyncProperty(changes, fc.array(filter, { maxLength: 10 }), async (changes, filters) => {
      const base = `ou=run${++runs},o=internet`;
      const { revision } = await directory.add(base, { objectClass: 'organizationalUnit', ou: `run${runs}` });
      const model: Model = new Map([[base.toLowerCase(), { dn: base, attributes: new Map() }]]);
      for (const step of changes.map((step) => placed(step, base))) {
        assert.equal(await resultOf(directory.apply(step)), apply(model, step), JSON.stringify(step));
      }
      model.delete(base.toLowerCase());
      const entries = below(base, everything);
      assert.deepEqual(
        entries.map(plainEntry).sort(),
        [...model.values()].map(({ dn, attributes }) => [dn, plain(attributes)]).sort(),
      );
      for (const filter of filters.map((each) => placedFilter(each, base))) {
        const found = below(base, filter).map(({ dn }) => dn);
        const expected = [...model.values()].filter((entry) => matches(entry, filter)).map(({ dn }) => dn);
        assert.deepEqual(found.sort(), expected.sort(), JSON.stringify(filter));
      }
      checkIndex(entries);
      checkMembers(entries);
      checkLog(revision, entries);
    }),
    { numRuns: 150 },
  );
});

function checkIndex(entries: readonly Entry[]): void {
  for (const entry of entries) {
    const expected = new Set<string>();
    for (const { name, values } of entry.attributes.values()) {
      for (const value of values) expected.add(indexKeyFor(name, value)?.join(' ') ?? '');
    }
    expected.delete('');
    const rows = directory.reader.arrays('SELECT attribute, value FROM dit_index WHERE entry = ?', entry.id);
    assert.deepEqual(rows.map((row) => row.join(' ')).sort(), [...expected].sort());
  }
}

/** Each member is a row under its key, is counted, and stands in no entry; an entry that is gone has left none. */
function checkMembers(entries: readonly Entry[]): void {
  const { reader } = directory;
  for (const { id, attributes, memberCounts } of entries) {
    const expected: string[][] = [];
    const counts: unknown[] = [];
    for (const name of MEMBERS) {
      const values = (attributes.get(name.toLowerCase())?.values ?? []) as string[];
      for (const value of values) expected.push([name.toLowerCase(), value.toLowerCase(), value]);
      const length = values.join('').length;
      if (values.length > 0) counts.push([name.toLowerCase(), { count: values.length, length }]);
    }
    const rows = reader.arrays('SELECT attribute, key, value FROM dit_value WHERE entry = ?', id);
    assert.deepEqual(rows.sort(), expected.sort());
    assert.deepEqual([...(memberCounts ?? [])].sort(), counts.sort());
    assert.doesNotMatch(String(reader.get('SELECT attributes FROM dit WHERE id = ?', id)?.['attributes']), /member/i);
  }
  const strays = 'SELECT count(*) AS n FROM dit_value WHERE entry NOT IN (SELECT id FROM dit)';
  assert.equal(reader.get(strays)?.['n'], 0);
}

/** From what is there now back through the log, each step undone, until nothing is left. */
function checkLog(sinceRevision: number, entries: readonly Entry[]): void {
  type State = { dn: string; attributes: Map<string, string[]> };
  const states = new Map<string, State>();
  for (const { uuid, dn, attributes } of entries) {
    const values = [...attributes.values()].map(({ name, values }) => [name, [...values] as string[]] as const);
    states.set(uuid, { dn, attributes: new Map(values) });
  }
  for (const { uuid, kind, dn, newDn, attributes } of loggedChanges(directory.reader, sinceRevision).reverse()) {
    const state = states.get(uuid) ?? { dn, attributes: new Map<string, string[]>() };
    assert.equal(state.dn, newDn ?? dn);
    for (const { name, removed, added } of attributes) {
      const kept = (state.attributes.get(name) ?? []).filter((value) => !added.includes(value));
      const before = [...kept, ...(removed as string[])];
      if (before.length === 0) state.attributes.delete(name);
      else state.attributes.set(name, before);
    }
    if (kind === 'add') {
      assert.equal(state.attributes.size, 0);
      states.delete(uuid);
    } else {
      states.set(uuid, { dn, attributes: state.attributes });
    }
  }
  assert.equal(states.size, 0);
}
