import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { idOf } from '../base/ids.ts';
import { segmentPath } from './segment.ts';
import { SegmentSyncs } from './segment-syncs.ts';

const directory = mkdtempSync(join(tmpdir(), 'waypost-syncs-'));

/** What this process has open there. */
function open(): string[] {
  const links = readdirSync('/proc/self/fd').map((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      return '';
    }
  });
  return links.filter((path) => path.startsWith(directory)).sort();
}

test('a descriptor a segment, some of them, and none of one that is gone', {
  skip: process.platform !== 'linux',
}, (context) => {
  context.after(() => rmSync(directory, { recursive: true }));
  const syncs = new SegmentSyncs(directory);
  const paths = Array.from({ length: 70 }, (_, n) => segmentPath(directory, idOf(n + 1)));
  for (const path of paths) writeFileSync(path, 'bytes');
  for (const n of [1, 1, 2]) syncs.sync(idOf(n));
  assert.deepEqual(open(), paths.slice(0, 2).sort());
  syncs.forget(idOf(1));
  syncs.forget(idOf(99));
  assert.deepEqual(open(), [paths[1]]);
  for (let n = 1; n <= 70; n++) syncs.sync(idOf(n));
  assert.equal(open().length, 64);
  for (let n = 1; n <= 70; n++) syncs.forget(idOf(n));
  assert.deepEqual(open(), []);
});

test('a segment that cannot be synced says so, by name of the error', () => {
  assert.throws(() => new SegmentSyncs(directory).sync(idOf(999)), /a segment file cannot be written: ENOENT/);
});
