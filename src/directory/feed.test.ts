// The feed beside a naive copy: random changes, told in random pieces, to a copy that takes nothing out of order: a superior must
// be there, a name must be free. In the end it is what a search finds.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { addDomain, addUser, openTestDirectory, type TestDirectory, userDn } from '../provisioning/testing.ts';
import { parseFilter } from '../wire/ldap/filter-text.ts';
import { sightOf } from './access/sight.ts';
import { ADMINISTRATOR_CALLER } from './caller.ts';
import { newestChange } from './change-log.ts';
import { parseDn } from './dn.ts';
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

  put({ uuid, normalizedDn: dn, revision }: Entry, { scope }: FeedContent): void {
    const names = new Map([...this.entries].map(([of, { dn: name }]) => [name, of]));
    assert.ok([undefined, uuid].includes(names.get(dn)), `${dn} is another's still`);
    const above = dn.slice(dn.indexOf(',') + 1);
    assert.ok(scope !== 'sub' || [dn, above].includes(BASE) || names.has(above), `nothing above ${dn}`);
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
function found(content: FeedContent): [string, { dn: string; revision: number }][] {
  const entries = searchAll(directory.reader, content, 1000);
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
            if (step.kind === 'entry') copy.put(step.entry, content);
            else copy.remove(step.uuid);
          ({ isAtEnd } = page);
        }
        assert.deepEqual(new Map(copy.entries), new Map(found(content)));
      }
    }),
    { numRuns: Number(process.env['FEED_RUNS'] ?? 15) },
  );
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
