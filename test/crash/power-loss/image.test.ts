// The power cut itself: what was synced stays, what was not goes, whether written by Node or by SQLite.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { peer } from '../../support/peers.ts';
import { preparePowerLoss } from './image.ts';

const folder = mkdtempSync(join(tmpdir(), 'waypost-power-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const compiler = peer('gcc');

/** Runs the script in a process of its own and kills it when it has said `done`. */
async function runAndKill(script: string, cwd: string, env: Record<string, string>): Promise<void> {
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', `${script}\nconsole.log('done');setInterval(() => {}, 1000);`],
    {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const ended = new Promise((end) => child.once('exit', end));
  for await (const text of child.stdout) if (String(text).includes('done')) break;
  child.kill('SIGKILL');
  await ended;
}

test('files: octets as of the last sync, names as of the last sync of their directory', {
  skip: compiler.skip,
}, async () => {
  const data = join(folder, 'files');
  mkdirSync(data);
  const place = mkdtempSync(join(folder, 'image-'));
  const power = preparePowerLoss(compiler.path, place, data);
  power.begin();
  await runAndKill(
    `
    import fs from 'node:fs';
    import { open } from 'node:fs/promises';
    const syncDirectory = () => { const fd = fs.openSync('.', 'r'); fs.fsyncSync(fd); fs.closeSync(fd); };
    const log = await open('log', 'a');
    await log.appendFile('synced '); await log.datasync();
    const renamed = fs.openSync('old', 'w'); fs.writeSync(renamed, 'kept'); fs.fsyncSync(renamed);
    const shrunk = fs.openSync('shrunk', 'w+'); fs.writeSync(shrunk, '0123456789'); fs.fsyncSync(shrunk);
    fs.writeFileSync('empty', 'never synced');
    syncDirectory();
    await log.appendFile('lost');
    fs.ftruncateSync(shrunk, 4); fs.writeSync(shrunk, 'AB', 0); fs.fdatasyncSync(shrunk); fs.writeSync(shrunk, 'ZZ', 2);
    fs.renameSync('old', 'new');
    const nameless = fs.openSync('nameless', 'w'); fs.writeSync(nameless, 'x'); fs.fsyncSync(nameless);
  `,
    data,
    power.env as Record<string, string>,
  );
  assert.equal(readFileSync(join(data, 'log'), 'utf8'), 'synced lost');
  power.cut();
  assert.equal(readFileSync(join(data, 'log'), 'utf8'), 'synced ');
  assert.equal(readFileSync(join(data, 'old'), 'utf8'), 'kept');
  assert.equal(existsSync(join(data, 'new')), false);
  assert.equal(existsSync(join(data, 'nameless')), false);
  assert.equal(readFileSync(join(data, 'empty'), 'utf8'), '');
  assert.equal(readFileSync(join(data, 'shrunk'), 'utf8'), 'AB23');
});

for (const synchronous of ['FULL', 'OFF']) {
  test(`SQLite with synchronous=${synchronous}: ${synchronous === 'FULL' ? 'every commit stays' : 'commits go'}`, {
    skip: compiler.skip,
  }, async () => {
    const data = join(folder, synchronous);
    mkdirSync(data);
    const place = mkdtempSync(join(folder, 'image-'));
    const power = preparePowerLoss(compiler.path, place, data);
    const setUp = new DatabaseSync(join(data, 'db'));
    setUp.exec('PRAGMA journal_mode=WAL; CREATE TABLE t (n INTEGER, filler TEXT)');
    setUp.close();
    power.begin();
    await runAndKill(
      `
      import { DatabaseSync } from 'node:sqlite';
      const db = new DatabaseSync('db');
      db.exec('PRAGMA synchronous=${synchronous}; PRAGMA wal_autocheckpoint=50');
      const insert = db.prepare('INSERT INTO t VALUES (?, ?)');
      for (let n = 0; n < 300; n++) insert.run(n, 'x'.repeat(3000));
    `,
      data,
      power.env as Record<string, string>,
    );
    power.cut();
    const db = new DatabaseSync(join(data, 'db'));
    const count = Number(db.prepare('SELECT count(*) AS n FROM t').get()!['n']);
    db.close();
    if (synchronous === 'FULL') assert.equal(count, 300);
    else assert.ok(count < 300, `${count} of 300 rows are there`);
  });
}
