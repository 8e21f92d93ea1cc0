// A migration that does not come to its end: killed at any call that changes the disk, or the disk takes no more.
//
// In      the store of format 1; strace, which kills the process at the n-th call, or makes calls fail from there on
// Out     after a kill the next start gives the store and the copy that an undisturbed one gives; after a failure the
//         store is the old one, or, where the commit was through, the new one, and never anything between

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { EXIT } from '../../src/base/exit.ts';
import { Failure } from '../../src/base/failure.ts';
import { silentLog } from '../../src/base/log.ts';
import { bringToFormat } from '../../src/server/upgrade.ts';
import { peer, tmpfsMissing, traceMissing } from '../support/peers.ts';
import { contents, copyOfStore, type StoreCopy } from './fixture.ts';

const CALLS = 'pwrite64,fsync,fdatasync,ftruncate,rename,unlink';
/** Of the writes so many are tried, evenly; of the other calls all. */
const WRITES_KILLED = Number(process.env['WRITES_KILLED'] ?? 5);
const WRITES_FAILED = 6;

const LOAD = join(import.meta.dirname, '../../src/server/load-sources.ts');

const migrate = (data: string): void => bringToFormat(data, { log: silentLog, synchronous: 'FULL' });

/** The migration in a process of its own, under strace; its calls on this store are counted and disturbed. */
function disturbed({ data, path }: StoreCopy, ...options: readonly string[]) {
  const files = ['', '-wal', '.format-1', '.format-1.part'].map((end) => `${path}${end}`);
  const trace = join(data, '..', 'trace');
  const command = [process.execPath, '--import', LOAD, join(import.meta.dirname, 'migrate.ts'), data];
  const only = [...files, data].flatMap((file) => ['-P', file]);
  // Calls that are not looked at cost nothing with a filter; but where there is one strace sends no signal.
  const filter = options.some((option) => option.includes(':signal=')) ? [] : ['--seccomp-bpf'];
  const args = ['-f', ...filter, '-qq', '-o', trace, '-e', `trace=${CALLS}`, ...only, ...options, ...command];
  const { status, signal, stderr } = spawnSync(peer('strace').path, args, { encoding: 'utf8' });
  const calls = [...readFileSync(trace, 'utf8').matchAll(/^\d+ +([a-z0-9]+)\(/gm)].map((match) => match[1]!);
  return { status, signal, stderr, calls };
}

interface Case {
  readonly call: string;
  /** The n-th of its kind. */
  readonly n: number;
}

function cases(writes: number): Case[] {
  using store = copyOfStore();
  const counts = new Map<string, number>();
  for (const call of disturbed(store).calls) counts.set(call, (counts.get(call) ?? 0) + 1);
  assert.ok(counts.get('rename') === 1 && (counts.get('fsync') ?? 0) + (counts.get('fdatasync') ?? 0) >= 4);
  return [...counts].flatMap(([call, count]) => {
    const step = call === 'pwrite64' ? Math.max(1, count / writes) : 1;
    return Array.from({ length: Math.ceil(count / step) }, (_, i) => ({ call, n: Math.floor(i * step) + 1 }));
  });
}

function undisturbed(): { old: unknown; migrated: unknown } {
  using store = copyOfStore();
  const old = contents(store.path);
  migrate(store.data);
  return { old, migrated: contents(store.path) };
}

describe('a migration that does not come to its end', { skip: traceMissing() }, () => {
  test('killed anywhere: the next start gives the same store and the same copy', () => {
    const { old, migrated } = undisturbed();
    for (const { call, n } of cases(WRITES_KILLED)) {
      using store = copyOfStore();
      const { signal, status } = disturbed(store, '-e', `inject=${call}:signal=SIGKILL:when=${n}`);
      const where = `killed at ${call} ${n}`;
      assert.ok(signal === 'SIGKILL' || status === 137, `${where}: it went on`);
      migrate(store.data);
      assert.deepEqual(contents(store.path), migrated, where);
      assert.deepEqual(contents(`${store.path}.format-1`), old, where);
      assert.equal(existsSync(`${store.path}.format-1.part`), false, where);
    }
  });

  for (const { error, code, calls } of [
    { error: 'ENOSPC', code: EXIT.tryAgain, calls: ['pwrite64', 'ftruncate'] },
    { error: 'EIO', code: EXIT.ioError, calls: ['pwrite64', 'fsync', 'fdatasync', 'rename'] },
  ])
    test(`${error} from any call on: the store is the old one, or the new one where the commit was through`, () => {
      const { old, migrated } = undisturbed();
      let unharmed = 0;
      for (const { call, n } of cases(WRITES_FAILED).filter((each) => calls.includes(each.call))) {
        using store = copyOfStore();
        const { status, stderr } = disturbed(store, '-e', `inject=${call}:error=${error}:when=${n}+`);
        const where = `${error} from ${call} ${n} on, exit code ${status}: ${stderr}`;
        const now = contents(store.path) as { format: unknown };
        if (JSON.stringify(now.format) === JSON.stringify((old as typeof now).format)) {
          unharmed++;
          assert.equal(status, code, where);
          assert.deepEqual(now, old, where);
        } else assert.deepEqual(now, migrated, where);
        assert.equal(existsSync(`${store.path}.format-1.part`), false, where);
        migrate(store.data);
        assert.deepEqual(contents(store.path), migrated, where);
      }
      assert.ok(unharmed > 3, 'the store was hardly ever the old one');
    });
});

test('a store that may not be written: one line, and no copy of it is made', () => {
  using store = copyOfStore();
  // A user who may write every file (root) needs another name here.
  const uid = process.getuid?.() === 0 ? 65534 : undefined;
  if (uid !== undefined) for (const path of [join(store.data, '..'), store.data, store.path]) chownSync(path, uid, uid);
  chmodSync(store.path, 0o444);
  const old = contents(store.path);
  const command = [join(import.meta.dirname, 'migrate.ts'), store.data];
  const { status, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8', ...(uid && { uid, gid: uid }) });
  assert.deepEqual([status, stderr], [EXIT.denied, `Failure: ${store.path} may not be written by this user\n`]);
  assert.deepEqual(contents(store.path), old);
  assert.equal(existsSync(`${store.path}.format-1`), false);
});

test('less space than twice the database: one line with both figures, nothing is touched', {
  skip: tmpfsMissing(),
}, () => {
  const mount = mkdtempSync(join(tmpdir(), 'waypost-small-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1600k', 'tmpfs', mount], { encoding: 'utf8' });
  assert.equal(mounted.status, 0, mounted.stderr);
  try {
    using store = copyOfStore({ parent: mount });
    const filler = join(mount, 'filler');
    writeFileSync(filler, Buffer.alloc(876 * 1024));
    const old = contents(store.path);
    assert.throws(
      () => migrate(store.data),
      (error: unknown) =>
        error instanceof Failure &&
        /^migrating the store needs 0\.5 MiB of space in \S+, 0\.[1-4] MiB are free: make some/.test(error.message),
    );
    assert.deepEqual(contents(store.path), old);
    assert.equal(existsSync(`${store.path}.format-1`), false);
    rmSync(filler);
    migrate(store.data);
    assert.deepEqual(contents(`${store.path}.format-1`), old);
  } finally {
    spawnSync('umount', [mount]);
    rmSync(mount, { recursive: true });
  }
});
