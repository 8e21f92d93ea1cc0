// What is read once for each published revision: never older than that, and never from an older snapshot.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Reader } from '../database/operation.ts';
import { getEntry } from './entries.ts';
import { followPublished, OnceARevision } from './once-a-revision.ts';
import { openTestDirectory, type TestDirectory } from './testing.ts';

let directory: TestDirectory;
let reader: Reader;
before(async () => {
  directory = await openTestDirectory();
  ({ reader } = directory);
});
after(() => directory.close());

function counted() {
  const kept = new OnceARevision<string>();
  let reads = 0;
  const ask = (key = 'o=internet'): string =>
    kept.get(reader, key, () => {
      reads++;
      return String(getEntry(reader, 'o=internet').attributes.get('description')?.values[0]);
    });
  return { ask, reads: () => reads };
}

const describe = (text: string) =>
  directory.apply({
    kind: 'modify',
    dn: 'o=internet',
    modifications: [{ operation: 'replace', attribute: 'description', values: [text] }],
  });

test('nothing is kept where nobody says what is published', () => {
  const { ask, reads } = counted();
  ask();
  ask();
  assert.equal(reads(), 2);
});

test('it is read again when another revision is published, and not before', async () => {
  let published = reader.revision() as number;
  followPublished(reader, () => published);
  const { ask, reads } = counted();
  await describe('first');
  published = reader.revision();
  assert.deepEqual([ask(), ask(), reads()], ['first', 'first', 1]);
  await describe('second');
  assert.deepEqual([ask(), reads()], ['first', 1]);
  published = reader.revision();
  assert.deepEqual([ask(), ask(), reads()], ['second', 'second', 2]);
});

test('what a snapshot shows is not kept, and what was kept is not shown in it', async () => {
  let published = reader.revision() as number;
  followPublished(reader, () => published);
  const { ask, reads } = counted();
  await describe('before');
  published = reader.revision();
  ask();
  let change: Promise<unknown> | undefined;
  reader.snapshot(() => {
    assert.equal(ask(), 'before');
    change = describe('after');
  });
  await change;
  published = reader.revision();
  assert.equal(ask(), 'after');
  assert.equal(reads(), 3);
});

test('of very many keys few are kept', () => {
  followPublished(reader, () => 1);
  const { ask, reads } = counted();
  for (let n = 0; n < 1000; n++) ask(`key${n}`);
  ask('key0');
  assert.equal(reads(), 1001);
  ask('key999');
  assert.equal(reads(), 1001);
});
