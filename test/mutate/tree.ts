// A copy of the checkout, in which one line at a time is broken.
//
// In      the checkout: sources, tests, and what they read; its packages are linked, not copied
// Out     a folder of its own, with a short name, because sockets of the tests stand below it; removed by `remove`

import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { Mutant } from './mutants.ts';

/** At its root. */
const NOT_COPIED: ReadonlySet<string> = new Set(['node_modules', '.git', '.cache', 'data', 'dist']);

export class Tree {
  readonly root: string;
  /** For temporary files of the tests. */
  readonly temporary: string;
  readonly #folder: string;

  constructor(checkout: string) {
    this.#folder = mkdtempSync(join(tmpdir(), 'mutate-'));
    // Some tests start programs as other users of the machine.
    chmodSync(this.#folder, 0o755);
    this.root = join(this.#folder, 'w');
    this.temporary = join(this.#folder, 't');
    cpSync(checkout, this.root, {
      recursive: true,
      filter: (path) => dirname(path) !== checkout || !NOT_COPIED.has(basename(path)),
    });
    const packages = join(checkout, 'node_modules');
    if (existsSync(packages)) symlinkSync(packages, join(this.root, 'node_modules'));
    this.clear();
  }

  /** What the tests before have left behind. */
  clear(): void {
    rmSync(this.temporary, { recursive: true, force: true });
    mkdirSync(this.temporary);
  }

  /** What `restore` takes. */
  break(mutant: Mutant): string {
    const path = join(this.root, mutant.file);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.slice(0, mutant.start) + mutant.text + text.slice(mutant.end));
    return text;
  }

  restore(file: string, text: string): void {
    writeFileSync(join(this.root, file), text);
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
