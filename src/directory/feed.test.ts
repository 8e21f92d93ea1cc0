// The feed beside a naive copy: random changes, told in random pieces, to a copy that takes nothing out of order: a superior must
// be there, a name must be free. In the end it is what a search finds.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import type { Reader } from '../database/operation.ts';
import { addDomain, addUser, openTestDirectory, replace, type TestDirectory, userDn } from '../provisioning/testing.ts';
import { parseFilter } from '../wire/ldap/filter-text.ts';
import { type Sight, sightOf } from './access/sight.ts';
import { ADMINISTRATOR_CALLER, callerOf } from './caller.ts';
import { newestChange } from './change-log.ts';
import { parseDn } from './dn.ts';
import { getEntry } from './entries.ts';
import type { DirectoryChange, Entry } from './entry.ts';
import { Feed, type FeedContent } from './feed.ts';
import { searchAll } from './testing.ts';

const BASE = 'dc=acme,dc=example,o=internet';
const PEOPLE = `ou=People,${BASE}`;

let directory: TestDirectory;
before(async () => {
  directory = await openTestDirectory();
  await directory.apply(addDomain('acme.example'));
});
after(() => directory.close());

/** By UUID: what stands where, and how new it is. */
class NaiveCopy {
  readonly entries = new Map<string, { dn: string; revision: number }>();

  /** `hasAll`: below the base, so that what stands above an entry is there. */
  put({ uuid, normalizedDn: dn, revision }: Entry, hasAll: boolean): void {
    const names = new Map([...this.entries].map(([of, { dn: name }]) => [name, of]));
    assert.ok([undefined, uuid].includes(names.get(dn)), `${dn} is another's still`);
    const above = dn.slice(dn.indexOf(',') + 1);
    assert.ok(!hasAll || [dn, above].includes(BASE) || names.has(above), `nothing above ${dn}`);
    this.entries.set(uuid, { dn, revision });
  }

  remove(uuid: string): void {
    this.entries.delete(uuid);
  }
}

const NAMES = ['a', 'b', 'c'];
const nodes = [PEOPLE, PEOPLE, PEOPLE, PEOPLE, BASE, `ou=x,${BASE}`, `ou=y,${BASE}`];
const person = fc
  .tuple(fc.constantFrom(...NAMES), fc.constantFrom(...nodes))
  .map(([uid, node]) => `uid=${uid},${node}`);
const node = fc.constantFrom('x', 'y').map((ou) => `ou=${ou},${BASE}`);

const change: fc.Arbitrary<DirectoryChange> = fc.oneof(
  {
    weight: 4,
    arbitrary: person.map((dn) => {
      const { kind, attributes } = addUser('z@acme.example') as Extract<DirectoryChange, { kind: 'add' }>;
      const own = attributes.filter(({ name }) => !['uid', 'mail'].includes(name));
      return { kind, dn, attributes: own };
    }),
  },
  {
    weight: 9,
    arbitrary: fc
      .tuple(person, fc.constantFrom(...NAMES), fc.option(fc.constantFrom(...nodes), { nil: undefined, freq: 2 }))
      .map(([dn, uid, newSuperior]) => ({
        kind: 'rename' as const,
        dn,
        newRdn: `uid=${uid}`,
        deleteOldRdn: true,
        newSuperior,
      })),
  },
  { weight: 3, arbitrary: person.map((dn) => ({ kind: 'delete' as const, dn })) },
  {
    weight: 7,
    arbitrary: fc.tuple(fc.oneof(person, node), fc.constantFrom('in', 'out')).map(([dn, value]) => ({
      kind: 'modify' as const,
      dn,
      modifications: [{ operation: 'replace' as const, attribute: 'description', values: [value] }],
    })),
  },
  {
    weight: 2,
    arbitrary: node.map((dn) => ({
      kind: 'add' as const,
      dn,
      attributes: [{ name: 'objectClass', values: ['organizationalUnit'] }],
    })),
  },
  { weight: 1, arbitrary: node.map((dn) => ({ kind: 'delete' as const, dn })) },
  {
    weight: 1,
    arbitrary: fc.tuple(node, fc.constantFrom('x', 'y')).map(([dn, ou]) => ({
      kind: 'rename' as const,
      dn,
      newRdn: `ou=${ou}`,
      deleteOldRdn: true,
      newSuperior: undefined,
    })),
  },
);

const contents: readonly FeedContent[] = [
  { base: parseDn(BASE), scope: 'sub', filter: parseFilter('(objectClass=*)') },
  { base: parseDn(PEOPLE), scope: 'one', filter: parseFilter('(objectClass=*)') },
  { base: parseDn(PEOPLE), scope: 'base', filter: parseFilter('(objectClass=*)') },
  ...[1, 2].map(() => ({
    base: parseDn(BASE),
    scope: 'sub' as const,
    filter: parseFilter('(|(description=in)(ou=*))'),
  })),
];

/** What a search finds, as the copy has it. */
function found(content: FeedContent, sight?: Sight): [string, { dn: string; revision: number }][] {
  const entries = searchAll(directory.reader, sight === undefined ? content : { ...content, sight }, 1000);
  return entries.map(({ uuid, normalizedDn: dn, revision }) => [uuid, { dn, revision }]);
}

test('a copy that follows in random pieces is what a search finds, and nothing came out of order', async () => {
  const sight = sightOf(directory.reader, ADMINISTRATOR_CALLER, true);
  const pieces = fc.array(fc.array(change, { minLength: 8, maxLength: 40, size: 'max' }), {
    minLength: 2,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...contents), pieces, async (content, all) => {
      const copy = new NaiveCopy();
      for (const [uuid, entry] of found(content)) copy.entries.set(uuid, entry);
      const feed = new Feed(directory.reader, content, newestChange(directory.reader)!);
      for (const changes of all) {
        // Those that the directory refuses are none.
        for (const each of changes) await directory.apply(each).catch(() => {});
        for (let isAtEnd = false; !isAtEnd; ) {
          const page = feed.next(sight);
          for (const step of page.steps)
            if (step.kind === 'entry') copy.put(step.entry, content.scope === 'sub');
            else copy.remove(step.uuid);
          ({ isAtEnd } = page);
        }
        assert.deepEqual(new Map(copy.entries), new Map(found(content)));
      }
    }),
    { numRuns: Number(process.env['FEED_RUNS'] ?? 15) },
  );
});

const rename = (from: string, to: string): DirectoryChange => ({
  kind: 'rename',
  dn: userDn(`${from}@acme.example`),
  newRdn: `uid=${to}`,
  deleteOldRdn: true,
  newSuperior: undefined,
});

/** With an address of its own. */
const again = (name: string): DirectoryChange => addUser(`${name}@acme.example`, { mail: `${name}.2@acme.example` });

test('who takes a name waits for the one whom the copy has there, not for those who had it meanwhile', async () => {
  await directory.apply(...['n1', 'n2'].map((name) => addUser(`${name}@acme.example`)));
  await follows(contents[0]!, async (told) => {
    await directory.apply(rename('n1', 'n3'), again('n1'), rename('n1', 'n4'), rename('n2', 'n1'));
    // Told last.
    await directory.apply(replace(userDn('n3@acme.example'), { description: 'last' }));
    while (!told());
  });
});

test('a name that was free when the one who had left it was looked at may be taken before that one is told', async () => {
  await directory.apply(...['m1', 'other'].map((name) => addUser(`${name}@acme.example`)));
  await follows(contents[0]!, async (told) => {
    const describe = (name: string, value: string) => replace(userDn(`${name}@acme.example`), { description: value });
    const others = Array.from({ length: 70 }, (_, at) => describe('other', `${at}`));
    await directory.apply(rename('m1', 'm2'), ...others, describe('m2', 'later'));
    assert.equal(told(), false, 'there is another page');
    await directory.apply(again('m1'), describe('m2', 'last'));
    while (!told());
  });
});

test('who comes first because somebody waits for his name has a name that is free by then, however late he took it', async () => {
  const names = ['p1', 'p2', 'p3', 'p4'];
  await directory.apply(...names.map((name) => addUser(`${name}@acme.example`)));
  await follows(contents[0]!, async (told) => {
    const others = Array.from({ length: 600 }, (_, at) => replace(userDn('p4@acme.example'), { description: `${at}` }));
    await directory.apply(rename('p1', 'p5'), rename('p2', 'p1'));
    for (let at = 0; at < others.length; at += 100) await directory.apply(...others.slice(at, at + 100));
    await directory.apply(rename('p3', 'p6'), rename('p5', 'p3'));
    while (!told());
  });
});

/** A copy that has all; `told` gives it the next page, and says whether that was the last. */
async function follows(content: FeedContent, happens: (told: () => boolean) => Promise<void>): Promise<void> {
  const sight = sightOf(directory.reader, ADMINISTRATOR_CALLER, true);
  const copy = new NaiveCopy();
  for (const [uuid, entry] of found(content)) copy.entries.set(uuid, entry);
  const feed = new Feed(directory.reader, content, newestChange(directory.reader)!);
  await happens(() => {
    const { steps, isAtEnd } = feed.next(sight);
    for (const step of steps)
      if (step.kind === 'entry') copy.put(step.entry, content.scope === 'sub');
      else copy.remove(step.uuid);
    return isAtEnd;
  });
  assert.deepEqual(new Map(copy.entries), new Map(found(content)));
}

const WATCHER = 'cn=watcher,o=internet';

/** Somebody who sees what is described as `in`. */
async function watcher() {
  await directory
    .apply(
      {
        kind: 'add',
        dn: WATCHER,
        attributes: [
          { name: 'objectClass', values: ['person'] },
          { name: 'sn', values: ['w'] },
        ],
      },
      replace(BASE, {
        aci: `(targetattr="*")(targetfilter="(description=in)")(version 3.0; acl "in"; allow (read,search) userdn="ldap:///${WATCHER}";)`,
      }),
    )
    .catch(() => {});
  return callerOf(getEntry(directory.reader, WATCHER));
}

test('a copy of who sees a part is what that one finds, and of what it never had nothing is told', async () => {
  const caller = await watcher();
  const content = contents[0]!;
  const pieces = fc.array(fc.array(change, { minLength: 8, maxLength: 40, size: 'max' }), {
    minLength: 2,
    maxLength: 5,
  });
  await fc.assert(
    fc.asyncProperty(pieces, async (all) => {
      const sight = () => sightOf(directory.reader, caller, true);
      const copy = new NaiveCopy();
      for (const [uuid, entry] of found(content, sight())) copy.entries.set(uuid, entry);
      const feed = new Feed(directory.reader, content, newestChange(directory.reader)!);
      for (const changes of all) {
        for (const each of changes) await directory.apply(each).catch(() => {});
        const had = new Set(copy.entries.keys());
        for (let isAtEnd = false; !isAtEnd; ) {
          const page = feed.next(sight());
          for (const step of page.steps) {
            had.add(step.kind === 'entry' ? step.entry.uuid : '');
            if (step.kind === 'entry') copy.put(step.entry, false);
            // One that is seen now may have to leave a name first.
            else if (had.has(step.uuid)) copy.remove(step.uuid);
            else assert.ok(new Map(found(content, sight())).has(step.uuid), `${step.dn} was never seen`);
          }
          ({ isAtEnd } = page);
        }
        assert.deepEqual(new Map(copy.entries), new Map(found(content, sight())));
      }
    }),
    { numRuns: Number(process.env['FEED_RUNS'] ?? 15) },
  );
});

test('what an entry was that nobody shows any more is read from the log once, and not at one go', async () => {
  const caller = await watcher();
  const from = newestChange(directory.reader)!;
  const CHANGES = 1200;
  const dn = userDn('hidden@acme.example');
  await directory.apply(addUser('hidden@acme.example', { description: 'in' }));
  const begins = newestChange(directory.reader)!;
  const changes = Array.from({ length: CHANGES }, (_, at) => replace(dn, { description: `out ${at}` }));
  for (let at = 0; at < CHANGES; at += 100) await directory.apply(...changes.slice(at, at + 100));
  let rows = 0;
  const { reader } = directory;
  const counting: Reader = Object.assign(Object.create(reader) as Reader, {
    arrays(...asked: Parameters<Reader['arrays']>) {
      const read = reader.arrays(...asked);
      rows += asked[0].includes('FROM dit_change') ? read.length : 0;
      return read;
    },
    get: (...asked: Parameters<Reader['get']>) => reader.get(...asked),
    all: (...asked: Parameters<Reader['all']>) => reader.all(...asked),
    snapshot: <T>(read: () => T): T => reader.snapshot(read),
    revision: () => reader.revision(),
  });
  for (const [position, told] of [
    [from, []],
    [begins, ['gone']],
  ] as const) {
    rows = 0;
    const feed = new Feed(counting, contents[0]!, position);
    const kinds: string[] = [];
    for (let isAtEnd = false; !isAtEnd; ) {
      const before = rows;
      const page = feed.next(sightOf(directory.reader, caller, true));
      assert.ok(rows - before <= 1100, 'a page is bounded');
      kinds.push(...page.steps.map(({ kind }) => kind));
      ({ isAtEnd } = page);
    }
    assert.deepEqual(kinds, told);
    // Looked ahead, told, and undone.
    assert.ok(rows < 4 * CHANGES, `${rows} rows of ${CHANGES} changes`);
  }
});

test('a copy that comes back after many changes reads no more than pages of the log', async () => {
  const content = contents[0]!;
  const sight = sightOf(directory.reader, ADMINISTRATOR_CALLER, true);
  const from = newestChange(directory.reader)!;
  const dn = userDn('many@acme.example');
  await directory.apply(addUser('many@acme.example'));
  for (let round = 0; round < 6; round++)
    await directory.apply(
      ...Array.from({ length: 100 }, (_, at) => ({
        kind: 'modify' as const,
        dn,
        modifications: [{ operation: 'replace' as const, attribute: 'description', values: [`${round} ${at}`] }],
      })),
    );
  const feed = new Feed(directory.reader, content, from);
  let pages = 0;
  const given: string[] = [];
  for (let isAtEnd = false; !isAtEnd; pages++) {
    const page = feed.next(sight);
    given.push(
      ...page.steps.map((step) => `${step.kind} ${step.kind === 'entry' ? step.entry.normalizedDn : step.uuid}`),
    );
    ({ isAtEnd } = page);
  }
  assert.ok(pages > 8);
  assert.deepEqual(given, [`entry ${dn.toLowerCase()}`], 'once, at its last change');
});
