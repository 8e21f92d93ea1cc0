// Metadata against a naive map: what is read at each depth, what an account may have, and with what it goes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { operation } from '../database/operation.ts';
import { INBOX } from './accounts.ts';
import { createMailbox, deleteMailbox } from './mailboxes.ts';
import {
  type Depth,
  dropReaderMetadata,
  isShared,
  readMetadata,
  readServerMetadata,
  setMetadata,
  setServerMetadata,
} from './metadata.ts';
import { TestStore } from './testing.ts';

const names = ['a', 'b', 'a0', 'a-'];
const entry = fc
  .tuple(fc.constantFrom('/private', '/shared'), fc.array(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }))
  .map(([scope, below]) => [scope, ...below].join('/'));
const value = fc.option(fc.constantFrom('x', '', '\0\xff'), { nil: undefined });
const set = fc.record({ who: fc.nat(2), entry, value });
const asked = fc.record({
  who: fc.nat(2),
  entry: fc.oneof(entry, fc.constantFrom('/private', '/shared')),
  depth: fc.constantFrom<Depth>(0, 1, 'infinity'),
});

test('an entry is the reader’s or everybody’s, and those below it are given as deep as is asked', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(set, { maxLength: 20 }), fc.array(asked, { maxLength: 5 }), async (sets, questions) => {
      const store = new TestStore();
      const { writer, reader } = store.database;
      try {
        const accounts = [await store.account(), await store.account(), await store.account()];
        const key = { owner: accounts[0]!, mailbox: INBOX };
        const naive = new Map<string, string>();
        const nameOf = (who: number, at: string) => `${isShared(at) ? '' : who} ${at}`;
        for (const { who, entry: at, value: to } of sets) {
          await writer.execute(setMetadata, { ...key, reader: accounts[who]!, values: [{ entry: at, value: to }] });
          if (to === undefined) naive.delete(nameOf(who, at));
          else naive.set(nameOf(who, at), to);
        }
        for (const { who, entry: at, depth } of questions) {
          const found = readMetadata(reader, { ...key, reader: accounts[who]! }, [at], depth);
          const expected = new Map<string, string | undefined>(depth === 0 ? [[at, undefined]] : []);
          for (const [name, to] of naive) {
            const below = name.startsWith(`${nameOf(who, at)}/`) ? name.slice(nameOf(who, at).length + 1) : undefined;
            const isMeant = depth === 'infinity' || (depth === 1 && below?.includes('/') === false);
            if (name === nameOf(who, at) || (below !== undefined && isMeant)) expected.set(name.split(' ')[1]!, to);
          }
          assert.deepEqual(new Map(found.map((one) => [one.entry, one.value])), expected);
        }
        assert.deepEqual(await store.problems(), []);
      } finally {
        await store.close();
      }
    }),
    { numRuns: 30 },
  );
});

const values = (count: number, from = 0, scope = 'private') =>
  Array.from({ length: count }, (_, n) => ({ entry: `/${scope}/${from + n}`, value: 'x' }));

test('a mailbox has 100 entries for each reader, an account 1,000 in all; what is too many changes nothing', async () => {
  const store = new TestStore();
  const { writer, reader } = store.database;
  const [owner, other] = [await store.account(), await store.account()];
  const inbox = { owner, mailbox: INBOX };
  const tooMany = { kind: 'too-many' };
  await writer.execute(setMetadata, { ...inbox, reader: owner, values: values(100) });
  await assert.rejects(
    writer.execute(setMetadata, { ...inbox, reader: owner, values: values(1, 0, 'shared') }),
    tooMany,
  );
  // What one reader has noted leaves the others theirs.
  await writer.execute(setMetadata, { ...inbox, reader: other, values: values(100) });
  for (let n = 1; n < 10; n++) {
    const { mailbox } = await writer.execute(createMailbox, { owner, name: `box ${n}` });
    await writer.execute(setMetadata, { owner, mailbox, reader: owner, values: values(99) });
  }
  await writer.execute(setServerMetadata, { account: owner, values: values(9) });
  await assert.rejects(writer.execute(setServerMetadata, { account: owner, values: values(1, 9) }), tooMany);
  assert.equal(readServerMetadata(reader, owner, ['/private'], 1).length, 9);
  await writer.execute(deleteMailbox, { owner, name: 'box 1' });
  await writer.execute(setServerMetadata, { account: owner, values: values(99, 9) });
  assert.deepEqual(await store.problems(), []);
  await store.close();
});

const drop = operation('test.drop', dropReaderMetadata);

test('who goes leaves no notes with others, and keeps the own', async () => {
  const store = new TestStore();
  const { reader, writer } = store.database;
  const [owner, other] = [await store.account(), await store.account()];
  for (const place of [owner, other])
    await writer.execute(setMetadata, { owner: place, mailbox: INBOX, reader: other, values: values(2) });
  const uuid = String(reader.get('SELECT uuid FROM account WHERE id = ?', other)?.['uuid']);
  await writer.execute(drop, { uuid, tenant: 1 });
  const left = (place: typeof owner) =>
    readMetadata(reader, { owner: place, mailbox: INBOX, reader: other }, ['/private'], 1).length;
  assert.deepEqual([left(owner), left(other)], [0, 2]);
  await store.close();
});
