// Records of an import are done in their order, though a commit is posted while the one before is written.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { operation } from '../database/operation.ts';
import { SERVER } from '../directory/caller.ts';
import { importedRecord, importRecords } from '../provisioning/import.ts';
import { addUser, userDn } from '../provisioning/testing.ts';
import { directoryImport } from './directory-import.ts';
import { openTestAdmin, run } from './testing.ts';

const { directory, parts } = await openTestAdmin('acme.example');
after(() => directory.close());

const rehearsals = {
  begin: () => Promise.reject(new Error('no dry run')),
  writer: () => parts.writer,
  end: () => Promise.resolve(),
};
const COUNT = 1800;

for (const pauseMs of [0, 1]) {
  const bring = directoryImport({ ...parts, rehearsals, way: { pauseAfter: () => pauseMs } });
  const words = pauseMs === 0 ? '' : ', while mail is served';

  test(`what is refused undoes nothing else, and what stands behind it goes on${words}`, async () => {
    const prefix = `on${pauseMs}-`;
    const twice = [1, 499, 500, 510, 1499, 1500, 1799];
    const input = { records: records(prefix, twice), existing: 'refuse', goesOn: true } as const;
    const { added, refused, broken } = await run(bring, input);
    assert.deepEqual(
      refused.map(({ line, code }) => [line, code]),
      twice.map((line) => [line + 1, 68]),
    );
    assert.deepEqual([added, broken], [COUNT - twice.length, null]);
    const expected = Array.from({ length: COUNT }, (_, n) => n).filter((n) => !twice.includes(n));
    assert.deepEqual(written(prefix), expected);
  });

  test(`behind a refused record nothing is done without --continue${words}`, async () => {
    for (const at of [0, 499, 1100]) {
      const prefix = `end${pauseMs}-${at}-`;
      // The name of the first is there already.
      if (at === 0) await directory.apply(addUser(`${prefix}first@acme.example`));
      const lines = records(prefix, at === 0 ? [] : [at, at + 1, at + 600]);
      if (at === 0) lines[0] = record(`${prefix}first`, 1);
      lines[at + 20] = { line: at + 21, ldif: 'no LDIF\n' };
      const { added, refused, broken } = await run(bring, { records: lines, existing: 'refuse', goesOn: false });
      assert.deepEqual([added, refused.map(({ line }) => line), broken], [at, [at + 1], null]);
      assert.deepEqual(
        written(prefix),
        Array.from({ length: at }, (_, n) => n),
      );
    }
  });

  test(`what stands before what is no LDIF is done${words}`, async () => {
    const prefix = `no${pauseMs}-`;
    const lines = records(prefix, []);
    lines[1700] = { line: 1701, ldif: 'no LDIF\n' };
    const { added, refused, broken } = await run(bring, { records: lines, existing: 'refuse', goesOn: true });
    assert.deepEqual([added, refused, broken?.line], [1700, [], 1701]);
    assert.equal(written(prefix).length, 1700);
  });
}

test('a commit does nothing where the one before it has not been done, or is not there any more', async () => {
  const commit = (name: string, number: number) => ({
    records: [importedRecord(addUser(`${name}@acme.example`))],
    existing: 'refuse' as const,
    caller: SERVER,
    now: 0,
    turn: { run: 'of the test', number },
  });
  const lost = operation('test.lost', async (tx, args: ReturnType<typeof commit>) =>
    tx.rollbackWith(await importRecords.run(tx, args)),
  );
  const { writer } = directory;
  assert.deepEqual(await writer.execute(importRecords, commit('turn1', 1)), { isBehindUndone: true });
  assert.ok('counts' in (await writer.execute(lost, commit('turn0', 0))));
  assert.deepEqual(await writer.execute(importRecords, commit('turn1', 1)), { isBehindUndone: true });
  assert.ok('counts' in (await writer.execute(importRecords, commit('turn0', 0))));
  assert.ok('counts' in (await writer.execute(importRecords, commit('turn1', 1))));
  assert.deepEqual(written('turn'), [0, 1]);
});

/** A user a line; those at these places are named as the first. */
function records(prefix: string, twice: readonly number[]) {
  return Array.from({ length: COUNT }, (_, n) => record(`${prefix}${twice.includes(n) ? 0 : n}`, n + 1));
}

function record(name: string, line: number) {
  const ldif = `dn: ${userDn(`${name}@acme.example`)}
objectClass: inetOrgPerson
objectClass: inetMailUser
uid: ${name}
cn: ${name}
sn: ${name}
mail: ${name}@acme.example
`;
  return { line, ldif };
}

/** The numbers in the names of those who are there, in the order in which they were added. */
function written(prefix: string): number[] {
  const sql = 'SELECT dn FROM dit WHERE dn LIKE ? ORDER BY revision';
  const names = directory.reader.arrays(sql, `uid=${prefix}%`).map(([dn]) => String(dn).slice(4).split(',')[0]!);
  return names
    .map((name) => name.slice(prefix.length))
    .filter((text) => /^\d+$/.test(text))
    .map(Number);
}
