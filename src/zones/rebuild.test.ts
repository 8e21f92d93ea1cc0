// What a start makes of names that another version of zones has left.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rebuildDerived } from '../database/derived.ts';
import { operation, type Writer } from '../database/operation.ts';
import { addDomain, openTestDirectory, type TestDirectory } from '../provisioning/testing.ts';
import { zoneNames } from './names.ts';
import { pathOf } from './path.ts';
import { zoneTable } from './rebuild.ts';
import { findZone, lookUp } from './records.ts';
import { changeDomain, settingsOf } from './testing.ts';

const settings = settingsOf('mail.isp.example', []);
const domains = ['acme.example', 'a.b.acme.example', 'b.test', 'sales.b.test', 'same.test', 'x.same.test'];

async function populated(): Promise<TestDirectory> {
  const directory = await openTestDirectory();
  await directory.apply(...domains.map((domain) => addDomain(domain)));
  return directory;
}

const setVersion = operation('test.setVersion', async (tx, version: number) => {
  await tx.run("UPDATE derived SET version = ? WHERE name = 'zones'", version);
});

const statement = operation('test.statement', (tx, { sql, path }: { sql: string; path: string }) => tx.run(sql, path));

async function start(directory: TestDirectory, version: number, writer: Writer = directory.writer): Promise<string[]> {
  const said: string[] = [];
  const { reader } = directory;
  await rebuildDerived({ reader, writer, derived: [zoneTable(version)], say: (line) => said.push(line) });
  return said;
}

/** All but the revisions. */
function content(directory: TestDirectory): unknown {
  const sql = 'SELECT path, row, below FROM zone_name WHERE row IS NOT NULL OR below > 0 ORDER BY path';
  return directory.reader.arrays(sql);
}

function serials(directory: TestDirectory): number[] {
  const names = zoneNames(directory.reader);
  return ['acme.example', 'b.test', 'same.test'].map((apex) => findZone(apex, { names, settings })!.serial);
}

test('another version finds all rows as they are: no serial rises, and the directory stays at its revision', async (context) => {
  const directory = await populated();
  context.after(() => directory.close());
  const before = [content(directory), serials(directory), directory.reader.revision()];
  await directory.writer.execute(setVersion, 1);
  const said = await start(directory, 2);
  assert.deepEqual([content(directory), serials(directory), directory.reader.revision()], before);
  assert.deepEqual(said.at(-1), 'compiling zones (version 1 to 2): 6 of 6 entries');
  assert.deepEqual(await start(directory, 2), []);
});

const spoiled: readonly [what: string, zone: number, sql: string, path: string][] = [
  ['another row', 0, `UPDATE zone_name SET row = '{"domain":"mail","ttl":5}' WHERE path = ?`, pathOf('acme.example')],
  ['another row below', 0, `UPDATE zone_name SET row = '{}' WHERE path = ?`, pathOf('a.b.acme.example')],
  ['a row that is missing', 1, 'DELETE FROM zone_name WHERE path = ?', pathOf('sales.b.test')],
  ['a row that is empty', 1, 'UPDATE zone_name SET row = NULL WHERE path = ?', pathOf('sales.b.test')],
  ['a name above that is missing', 0, 'DELETE FROM zone_name WHERE path = ?', pathOf('b.acme.example')],
  ['a wrong count', 1, 'UPDATE zone_name SET below = 0 WHERE path = ?', pathOf('b.test')],
];
for (const [what, zone, sql, path] of spoiled) {
  test(`${what} is made anew, and the serial of its zone alone rises`, async (context) => {
    const directory = await populated();
    context.after(() => directory.close());
    const [right, before] = [content(directory), serials(directory)];
    await directory.writer.execute(statement, { sql, path });
    assert.notDeepEqual(content(directory), right);
    await start(directory, 7);
    assert.deepEqual(content(directory), right);
    const after = serials(directory);
    assert.deepEqual(
      after.map((serial, i) => serial > before[i]!),
      before.map((_, i) => i === zone),
    );
    assert.ok(after[zone]! > Math.max(...before), 'above every revision that was answered before');
  });
}

test('a name without an entry goes, and its zone with it', async (context) => {
  const directory = await populated();
  context.after(() => directory.close());
  const right = content(directory);
  for (const after of ['gone.acme.example', 'only.gone.example'])
    await directory.writer.execute(changeDomain, { after });
  const before = serials(directory);
  await start(directory, 3);
  assert.deepEqual(content(directory), right);
  assert.ok(serials(directory)[0]! > before[0]!);
  assert.equal(lookUp('only.gone.example', 'MX', { names: zoneNames(directory.reader), settings }).result, 'outside');
});

test('a rebuild that ends anywhere begins anew', async (context) => {
  for (let calls = 0; ; calls++) {
    const directory = await populated();
    context.after(() => directory.close());
    const right = content(directory);
    await directory.writer.execute(changeDomain, { before: 'a.b.acme.example' });
    await directory.writer.execute(changeDomain, { after: 'gone.test' });
    let left = calls;
    const dying: Writer = {
      execute: (...call) => (left-- > 0 ? directory.writer.execute(...call) : Promise.reject(new Error('killed'))),
    };
    const isWhole = await start(directory, 3, dying).then(
      () => true,
      () => false,
    );
    assert.equal(
      directory.reader.get("SELECT version FROM derived WHERE name = 'zones'")?.['version'],
      isWhole ? 3 : calls === 0 ? 1 : 0,
    );
    await start(directory, 3);
    assert.deepEqual(content(directory), right);
    if (isWhole) return assert.ok(calls > 4);
  }
});

test('more domains than a slice holds', async (context) => {
  const directory = await openTestDirectory();
  context.after(() => directory.close());
  const many = Array.from({ length: 450 }, (_, i) => addDomain(`d${i}.isp.example`));
  await directory.apply(...many);
  const right = content(directory);
  await directory.writer.execute(statement, { sql: 'DELETE FROM zone_name WHERE path <> ?', path: '' });
  const said = await start(directory, 3);
  assert.deepEqual(content(directory), right);
  assert.equal(said.at(-1), 'compiling zones (version 1 to 3): 450 of 450 entries');
});
