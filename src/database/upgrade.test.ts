// What a start makes of an older store, of a newer one, of another program's file, and of what a killed run has left.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { Failure } from '../base/failure.ts';
import { silentLog } from '../base/log.ts';
import { openForWriting } from './connection.ts';
import { FORMAT, type Unit } from './format.ts';
import type { Migration } from './operation.ts';
import { removeOldCopies, type UpgradeOptions, upgradeStore } from './upgrade.ts';

const first: Migration = {
  version: 1,
  statements: ['CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT NOT NULL)'],
};
const upper: Migration = {
  version: 2,
  rewrites: true,
  run(connection) {
    const of = Number(connection.get('SELECT count(*) AS n FROM item')?.['n']);
    let done = 0;
    for (const page of connection.pages('SELECT id, name FROM item WHERE id > ? ORDER BY id LIMIT +?', ['id'], [0])) {
      for (const { id, name } of page)
        connection.run('UPDATE item SET name = ? WHERE id = ?', String(name).toUpperCase(), id!);
      done += page.length;
      connection.progress(done, of);
    }
  },
};
const additive: Migration = { version: 2, statements: ['CREATE TABLE other (id INTEGER PRIMARY KEY)'] };
const unit = (...migrations: readonly Migration[]): readonly Unit[] => [{ name: 'test', migrations }];

interface Store {
  readonly path: string;
  readonly said: string[];
  upgrade(units: readonly Unit[], more?: Partial<UpgradeOptions>): void;
  rows(path?: string): unknown[];
  files(): string[];
}

/** A store of format 1 with `count` rows, unless `count` is undefined: then there is none. */
function store(context: TestContext, count?: number): Store {
  const directory = mkdtempSync(join(tmpdir(), 'waypost-upgrade-'));
  context.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'store.db');
  const said: string[] = [];
  const upgrade: Store['upgrade'] = (units, more) =>
    upgradeStore({
      path,
      units,
      derived: [{ name: 'routing', version: 7 }],
      log: silentLog,
      say: (line) => said.push(line),
      size: (connection) => `${connection.get('SELECT count(*) AS n FROM item')?.['n']} items`,
      ...more,
    });
  if (count !== undefined) {
    upgrade(unit(first));
    const database = openForWriting(path);
    database.exec('BEGIN');
    const insert = database.prepare('INSERT INTO item (name) VALUES (?)');
    for (let n = 1; n <= count; n++) insert.run(`item ${n}`);
    // As the program before left it: without the tables and versions of format 2.
    database.exec(
      `DROP TABLE derived; ALTER TABLE revision DROP COLUMN routing; UPDATE format SET version = 1; PRAGMA user_version = 1; COMMIT`,
    );
    database.close();
  }
  return {
    path,
    said,
    upgrade,
    rows(of = path) {
      const database = new DatabaseSync(of, { readOnly: true });
      const rows = database.prepare('SELECT name FROM item ORDER BY id').all();
      database.close();
      return rows.map((row) => row['name']);
    },
    files: () => readdirSync(directory).sort(),
  };
}

function format(path: string): unknown {
  const database = new DatabaseSync(path, { readOnly: true });
  const row = database.prepare('PRAGMA user_version').get();
  database.close();
  return row?.['user_version'];
}

function derivedVersion(path: string): unknown {
  const database = new DatabaseSync(path, { readOnly: true });
  const row = database.prepare("SELECT version FROM derived WHERE name = 'routing'").get();
  database.close();
  return row?.['version'];
}

test('rows are rewritten, page by page; the copy beside the store is as the older program left it', (context) => {
  const { path, said, upgrade, rows, files } = store(context, 2500);
  upgrade(unit(first, upper));
  assert.deepEqual(files(), ['store.db', 'store.db.format-1']);
  assert.equal(format(path), FORMAT);
  assert.deepEqual([rows().length, rows()[0], rows()[2499]], [2500, 'ITEM 1', 'ITEM 2500']);
  const copy = `${path}.format-1`;
  assert.equal(format(copy), 1);
  assert.deepEqual([rows(copy).length, rows(copy)[0]], [2500, 'item 1']);
  assert.deepEqual(said, [`migrating the store from format 1 to ${FORMAT} (2500 items); copy: store.db.format-1`]);
  assert.equal(derivedVersion(path), 1, 'what format 1 holds was derived by the first version');
  said.length = 0;
  upgrade(unit(first, upper));
  assert.deepEqual([said, rows()[0]], [[], 'ITEM 1']);
});

test('a step that rewrites nothing makes no copy, nor does a unit that the store does not know, nor a new store', (context) => {
  const old = store(context, 3);
  old.upgrade([
    ...unit(first, additive),
    { name: 'new', migrations: [{ version: 1, rewrites: true, statements: [] }] },
  ]);
  assert.deepEqual([old.files(), old.said], [['store.db'], []]);
  const fresh = store(context);
  fresh.upgrade(unit(first, upper));
  assert.deepEqual([fresh.files(), fresh.said, fresh.rows()], [['store.db'], [], []]);
  assert.equal(derivedVersion(fresh.path), 7, 'nothing was derived by older code');
});

test('what a killed run left: .part goes, a finished copy is made anew from what the store holds now', (context) => {
  const { path, upgrade, rows, files } = store(context, 3);
  writeFileSync(`${path}.format-1.part`, 'half of it');
  writeFileSync(`${path}.format-1.part-journal`, 'its journal');
  writeFileSync(`${path}.format-1`, 'of a run before');
  upgrade(unit(first, upper));
  assert.deepEqual(files(), ['store.db', 'store.db.format-1']);
  assert.deepEqual(rows(`${path}.format-1`), ['item 1', 'item 2', 'item 3']);
});

test('a step that fails leaves the store as it was, and the next start begins anew', (context) => {
  const { path, upgrade, rows } = store(context, 3);
  const broken: Migration = { version: 3, statements: ['DELETE FROM item', 'no SQL'] };
  assert.throws(() => upgrade(unit(first, upper, broken)), /syntax/);
  assert.deepEqual([format(path), rows()], [1, ['item 1', 'item 2', 'item 3']]);
  upgrade(unit(first, upper));
  assert.deepEqual([format(path), rows()], [FORMAT, ['ITEM 1', 'ITEM 2', 'ITEM 3']]);
});

test('a newer format, another program and a file that is no database are refused, and no octet of them changes', (context) => {
  const { path, upgrade } = store(context, 3);
  const refused = (words: RegExp): void => {
    const before = readFileSync(path);
    writeFileSync(`${path}.format-1.part`, 'not ours to take away');
    assert.throws(
      () => upgrade(unit(first, upper)),
      (error: unknown) => error instanceof Failure && error.kind === 'conflict' && words.test(error.message),
    );
    assert.deepEqual(readFileSync(path), before);
    assert.ok(existsSync(`${path}.format-1.part`));
  };
  let database = openForWriting(path);
  database.exec(`PRAGMA user_version = ${FORMAT + 1}`);
  database.close();
  refused(new RegExp(`format ${FORMAT + 1}, this program knows ${FORMAT}`));
  rmSync(path);
  database = new DatabaseSync(path);
  database.exec('CREATE TABLE theirs (x)');
  database.close();
  refused(/another program/);
  writeFileSync(path, 'no database at all, and long enough to look at: '.repeat(100));
  refused(/another program/);
});

test('a database without its log, a log without its database, and no store where none may begin: refused, nothing touched', (context) => {
  const { path, upgrade, files } = store(context, 3);
  const refused = (words: RegExp, more?: Partial<UpgradeOptions>): void => {
    const before = files();
    assert.throws(
      () => upgrade(unit(first), more),
      (error: unknown) => error instanceof Failure && error.kind === 'conflict' && words.test(error.message),
    );
    assert.deepEqual(files(), before);
  };
  writeFileSync(`${path}-shm`, '');
  refused(/store\.db-wal is missing.*or remove store\.db-shm/);
  rmSync(`${path}-shm`);
  writeFileSync(`${path}-wal`, 'what was committed');
  for (const lose of [() => writeFileSync(path, ''), () => rmSync(path)]) {
    lose();
    refused(/store\.db is missing or empty, and its log store\.db-wal is there/);
  }
  rmSync(`${path}-wal`);
  const mayBegin = (): void => {
    throw new Failure('conflict', 'there is mail');
  };
  refused(/there is mail/, { mayBegin });
});

test('a copy is kept for seven days', (context) => {
  const { path, upgrade, files } = store(context, 1);
  upgrade(unit(first, upper));
  const day = 24 * 3600 * 1000;
  assert.deepEqual(removeOldCopies(path, Date.now() + 6.9 * day), []);
  const old = (Date.now() - 8 * day) / 1000;
  utimesSync(`${path}.format-1`, old, old);
  utimesSync(path, old, old);
  assert.deepEqual(removeOldCopies(path, Date.now()), ['store.db.format-1']);
  assert.deepEqual(files(), ['store.db']);
});
