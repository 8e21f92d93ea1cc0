// One address at several entries of a source leads to nobody, whoever came first, and to the last one that has it: after any
// changes, by the tables kept change by change and by those compiled anew.

import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import fc from 'fast-check';
import { operation } from '../database/operation.ts';
import { entryByUuid } from '../directory/entries.ts';
import { mailViewText } from '../directory/mail-view.ts';
import type { MirroredChange, MirroredEntry } from '../directory/mirrored-change.ts';
import { contestedOf } from '../routing/contested.ts';
import { readState } from '../routing/generation.ts';
import { synchronizeFully } from '../routing/rebuild.ts';
import { synchronizeDomain } from '../routing/synchronize-domain.ts';
import { readRecipient } from '../routing/tables.ts';
import { readTables } from '../routing/testing.ts';
import { verifyTables } from '../routing/verify.ts';
import { takeMirrored, takeMirrorPage } from './mirrored.ts';
import { addDomain, addUser, domainDn, openTestDirectory, remove, replace, type TestDirectory } from './testing.ts';
import { ANY_SITE } from './write-options.ts';

const BASE = domainDn('src.example');
const OTHER = domainDn('two.example');

let directory: TestDirectory;
before(async () => {
  directory = await openTestDirectory();
  await directory.apply(addDomain('src.example'), addUser('own@src.example'));
});
after(() => directory.close());

const uuidOf = (number: number): string => `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;

function put(number: number, name: string, mail: readonly string[]): MirroredChange {
  const values = { objectClass: ['inetOrgPerson'], uid: [name], cn: [name], sn: [name], mail };
  const attributes = Object.entries(values).map(([key, each]) => ({ name: key, values: each }));
  return {
    kind: 'put',
    entry: {
      ...{ dn: `uid=${name},${BASE}`, uuid: uuidOf(number), createdAt: 1, modifiedAt: 1 },
      mailAs: mailViewText({ kind: 'user', attributes: [] }),
      attributes: attributes.filter((each) => each.values.length > 0),
    },
  };
}

const take = (...changes: readonly MirroredChange[]) =>
  directory.writer.execute(takeMirrorPage, { source: 'corp', author: 'cn=corp', now: 1, changes });

/** Nobody is there. */
const begin = () => take(...[1, 2, 3, 4].map((number): MirroredChange => ({ kind: 'removal', uuid: uuidOf(number) })));

/** By UUID: name and addresses. */
type Model = Map<string, { readonly name: string; readonly mail: readonly string[] }>;

const ADDRESSES = ['a@src.example', 'b@src.example', 'c@src.example', 'a@two.example'];
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      number: fc.integer({ min: 1, max: 4 }),
      name: fc.constantFrom('p', 'q', 'r', 's'),
      mail: fc.subarray(ADDRESSES),
    }),
  },
  { weight: 1, arbitrary: fc.record({ number: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ sharesBase: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant('anew' as const) },
);

it('after any changes an address leads to who alone has it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { maxLength: 12 }), async (pages) => {
      await begin();
      const model: Model = new Map();
      let hasTwo = await shareBase(false);
      for (const page of pages) {
        const changes: MirroredChange[] = [];
        for (const each of page) {
          if (each === 'anew') await anew();
          else if ('sharesBase' in each) hasTwo = await shareBase(each.sharesBase);
          else if (!('name' in each)) {
            model.delete(uuidOf(each.number));
            changes.push({ kind: 'removal', uuid: uuidOf(each.number) });
          } else {
            model.set(uuidOf(each.number), each);
            changes.push(put(each.number, each.name, each.mail));
          }
        }
        await take(...changes);
        check(model, hasTwo);
      }
      for await (const _ of synchronizeDomain(directory.writer, 'src.example'));
      check(model, hasTwo);
      await anew();
      check(model, hasTwo);
    }),
    { numRuns: 60 },
  );
});

/** Whether it does now: a domain stays that is somebody's only one. */
async function shareBase(isShared: boolean): Promise<boolean> {
  const is = directory.cache.route('two.example') !== undefined;
  if (is === isShared) return is;
  const change = isShared ? addDomain('two.example', { inetDomainBaseDN: BASE }) : remove(OTHER);
  const refusal = await directory.apply(change).then(
    () => undefined,
    (error: Error) => error.message,
  );
  assert.match(refusal ?? 'would route no more', /would route no more/);
  return refusal === undefined ? isShared : is;
}

/** A full compile finds nothing that differs. */
async function anew(): Promise<void> {
  const steps = synchronizeFully(directory.writer);
  let last = await steps.next();
  while (last.done !== true) last = await steps.next();
  assert.equal(last.value.differences, 0);
}

function check(model: Model, hasTwo: boolean): void {
  for (const address of ADDRESSES) {
    const claimants = [...model].filter(([, { mail }]) => mail.includes(address));
    const isOurs = hasTwo || !address.endsWith('@two.example');
    const expected = isOurs && claimants.length === 1 ? claimants[0]![0] : undefined;
    assert.equal(directory.cache.recipient(address)?.uuid, expected, address);
  }
  const steps = verifyTables(directory.reader);
  let last = steps.next();
  while (last.done !== true) last = steps.next();
  assert.deepEqual(last.value.differences, []);
}

it('a compile beside gets what comes meanwhile, and one that answers is told of it', async () => {
  const { writer, reader, cache } = directory;
  const row = () => reader.snapshot(() => readRecipient(reader, readState(reader).generation, `uid=p,${BASE}`));
  const [alone, both] = [['b@src.example'], ['a@src.example', 'b@src.example']];
  for (let at = 1; ; at++) {
    await begin();
    await take(put(1, 'p', ['a@src.example']), put(2, 'q', alone));
    const steps = synchronizeFully(writer);
    let step = 0;
    for (let next = await steps.next(); next.done !== true; next = await steps.next())
      if (++step === at) await take(put(2, 'q', both));
    if (step < at) break;
    assert.equal(cache.recipient('a@src.example'), undefined, `${at}`);
    assert.deepEqual(contestedOf(row()), ['a@src.example'], `${at}`);
    check(modelOf({ p: ['a@src.example'], q: both }), false);
    await take({ kind: 'removal', uuid: uuidOf(1) });
    assert.equal(cache.recipient('a@src.example')?.uuid, uuidOf(2));
  }
});

function modelOf({ p, q }: Readonly<Record<'p' | 'q', readonly string[]>>): Model {
  return new Map([
    [uuidOf(1), { name: 'p', mail: p }],
    [uuidOf(2), { name: 'q', mail: q }],
  ]);
}

it('a server that has all from this one has the same, in whichever order it comes', async () => {
  await begin();
  const all = ['a@src.example', 'b@src.example'];
  await take(put(1, 'p', all), put(2, 'q', ['b@src.example']), put(3, 'r', all), put(4, 's', ['c@src.example']));
  const { reader } = directory;
  const entries = [1, 2, 3, 4].map((number) => entryByUuid(reader, uuidOf(number))!);
  const orders = [entries, [...entries].reverse()];
  for (const order of orders) {
    await using other = closing(await openTestDirectory());
    await other.apply(addDomain('src.example'), addUser('own@src.example'));
    const changes = order.map(({ attributes, ...entry }): MirroredChange => {
      const { dn, uuid, createdAt, modifiedAt, source, mailAs } = entry;
      const given = { dn, uuid, createdAt, modifiedAt, source, mailAs, attributes: [...attributes.values()] };
      return { kind: 'put', entry: given as MirroredEntry };
    });
    await other.writer.execute(takeAll, changes);
    assert.deepEqual(readTables(other.reader).aliases, readTables(reader).aliases);
  }
});

const takeAll = operation('test.takeAll', (tx, changes: readonly MirroredChange[]) =>
  takeMirrored(tx, changes, { source: '', author: 'cn=mx2', now: 1, site: ANY_SITE }),
);

function closing(open: TestDirectory) {
  return { ...open, [Symbol.asyncDispose]: async () => open.close() };
}

it('an entry of ours is refused an address of theirs, and they one of ours', async () => {
  await begin();
  await take(put(1, 'p', ['a@src.example']), put(2, 'q', ['a@src.example']));
  await assert.rejects(directory.apply(addUser('a@src.example')), /in use already/);
  await assert.rejects(take(put(3, 'r', ['own@src.example'])), /in use already/);
  await directory.apply(replace(`uid=own,ou=People,${BASE}`, { mailAlternateAddress: 'more@src.example' }));
  assert.equal(directory.cache.recipient('a@src.example'), undefined);
});
