// A small disk for a test: a tmpfs, which is unmounted behind it. Needs root (peers.ts, tmpfsMissing).

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class Tmpfs {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static mount(mebibytes: number): Tmpfs {
    const folder = mkdtempSync(join(tmpdir(), 'waypost-disk-'));
    const options = ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', folder];
    const { status, stderr } = spawnSync('mount', options, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return new Tmpfs(folder);
  }

  [Symbol.dispose](): void {
    spawnSync('umount', [this.folder]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
