// Members as rows: what a change reads and writes of a list that is long, their order, and their limits.
//
// In      changes through the real writer, in a transaction that counts the rows that it gives
// Out     a change reads the members that it names, however many there are

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LIST_MEMBERS_LENGTH_MAX, LIST_MEMBERS_MAX } from '../base/limits.ts';
import { operation, type Transaction } from '../database/operation.ts';
import { applyChange } from './apply-change.ts';
import { getEntry } from './entries.ts';
import type { DirectoryChange, Modification } from './entry.ts';
import { readMemberValues } from './member-values.ts';
import { loggedChanges, openTestDirectory, type TestDirectory } from './testing.ts';

let directory: TestDirectory;
before(async () => {
  directory = await openTestDirectory();
});
after(() => directory.close());

/** Rows read, and the statements that wrote to the table of members. */
const counted = operation('test.counted', async (tx, change: DirectoryChange) => {
  let read = 0;
  let written = 0;
  const counting: Transaction = {
    get: (...args) => tx.get(...args),
    all: (...args) => tx.all(...args),
    async arrays(...args) {
      const rows = await tx.arrays(...args);
      // A deletion says which row it was.
      if (args[0].startsWith('DELETE')) written += rows.length;
      else read += rows.length;
      return rows;
    },
    run(...args) {
      if (args[0].includes('dit_value')) written++;
      return tx.run(...args);
    },
    tally: (sql, difference) => tx.tally(sql, difference),
    insert: (...args) => tx.insert(...args),
    remembered: (of, key, read) => tx.remembered(of, key, read),
    revision: tx.revision,
    routingRevision: tx.routingRevision,
    routingChanged: () => tx.routingChanged(),
    nextRevision: () => tx.nextRevision(),
    raiseRevision: (to) => tx.raiseRevision(to),
    afterCommit: (notification) => tx.afterCommit(notification),
    syncBeforeCommit: (segment) => tx.syncBeforeCommit(segment),
    rollbackWith: (result) => tx.rollbackWith(result),
  };
  await applyChange(counting, change, { author: '', now: 0 });
  return { read, written };
});

const setCount = operation('test.set-count', (tx, [entry, json]: readonly [entry: number, json: string]) =>
  tx.run('UPDATE dit SET member_counts = ? WHERE id = ?', json, entry),
);

const list = (name: string, members: readonly string[]) =>
  directory.add(`cn=${name},o=internet`, { objectClass: 'groupOfUniqueNames', cn: name, uniqueMember: members });
const modify = (name: string, ...modifications: Modification[]): DirectoryChange => ({
  kind: 'modify',
  dn: `cn=${name},o=internet`,
  modifications,
});
const person = (n: number): string => `uid=p${n},o=internet`;
const people = (count: number): string[] => Array.from({ length: count }, (_, n) => person(n));
const membersOf = (name: string): string[] => {
  const { reader } = directory;
  return readMemberValues(reader, getEntry(reader, `cn=${name},o=internet`).id, 0, 100_000).map(({ value }) => value);
};

for (const count of [3, 3000])
  test(`one member more or less in a list of ${count} is one row read and written`, async () => {
    const name = `of-${count}`;
    await list(name, people(count));
    const change = (operation: Modification['operation'], ...values: string[]) =>
      directory.writer.execute(counted, modify(name, { operation, attribute: 'uniqueMember', values }));
    const added = await change('add', person(count));
    assert.ok(added.read < 6 && added.written === 1, JSON.stringify(added));
    const deleted = await change('delete', person(1).toUpperCase());
    assert.ok(deleted.read < 6 && deleted.written === 1, JSON.stringify(deleted));
    await assert.rejects(change('add', person(2)), /has this value already/);
    await assert.rejects(change('delete', person(1)), /no such value/);
    assert.deepEqual(membersOf(name), [person(0), ...people(count + 1).slice(2)]);

    const renamed: DirectoryChange = {
      kind: 'rename',
      dn: `cn=${name},o=internet`,
      newRdn: `cn=new-${name}`,
      deleteOldRdn: true,
      newSuperior: undefined,
    };
    const moved = await directory.writer.execute(counted, renamed);
    assert.ok(moved.read < 10 && moved.written === 0, JSON.stringify(moved));
    assert.equal(membersOf(`new-${name}`).length, count);
  });

test('members stay in the order in which they came; one that is spelled anew goes to the end', async () => {
  await list('ordered', ['uid=c,o=internet', 'uid=a,o=internet', 'uid=b,o=internet']);
  const replace = (values: string[]): Modification => ({ operation: 'replace', attribute: 'uniqueMember', values });
  await directory.apply(modify('ordered', replace(['uid=b,o=internet', 'UID=c,o=internet', 'uid=d,o=internet'])));
  assert.deepEqual(membersOf('ordered'), ['uid=b,o=internet', 'UID=c,o=internet', 'uid=d,o=internet']);
});

test('a list that goes leaves no row, and the log has all that it had', async () => {
  const { revision, after } = await list('gone', people(20_001));
  await directory.apply({ kind: 'delete', dn: 'cn=gone,o=internet' });
  const rows = directory.reader.arrays('SELECT count(*) FROM dit_value WHERE entry = ?', after!.id);
  assert.deepEqual(rows, [[0]]);
  const [deleted] = loggedChanges(directory.reader, revision);
  assert.deepEqual(deleted?.attributes.find(({ name }) => name === 'uniqueMember')?.removed, people(20_001));
});

test('a list has a million members and no more, of a bounded length', async () => {
  await list('full', people(2));
  const { id } = getEntry(directory.reader, 'cn=full,o=internet');
  const add = modify('full', { operation: 'add', attribute: 'uniqueMember', values: [person(2)] });
  const attempt = async (count: number, length: number) => {
    await directory.writer.execute(setCount, [id, JSON.stringify([['uniquemember', count, length]])]);
    return directory.apply(add);
  };
  await assert.rejects(attempt(LIST_MEMBERS_MAX, 50), /uniqueMember may have at most 1000000 values/);
  await assert.rejects(attempt(2, LIST_MEMBERS_LENGTH_MAX), /values of uniqueMember are too long/);
  await attempt(LIST_MEMBERS_MAX - 1, LIST_MEMBERS_LENGTH_MAX - 100);
  assert.deepEqual(membersOf('full'), people(3));
  const texts = Array.from({ length: 100_001 }, (_, n) => `${n}`);
  await assert.rejects(
    directory.apply(modify('full', { operation: 'add', attribute: 'description', values: texts })),
    /description may have at most 100000 values/,
  );
});

test('a member is no part of a name', async () => {
  await assert.rejects(
    directory.add('mgrpRFC822MailMember=a@b.example,o=internet', {
      objectClass: 'inetMailGroup',
      mgrpRFC822MailMember: 'a@b.example',
    }),
    /cannot be in a name/,
  );
});
