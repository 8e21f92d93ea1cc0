// Which tests reach a file by imports, the nearest first.
//
// In      a checkout; a file of it
// Out     files of tests below src/: by the number of imports between, then those named like the file, then those in its folder
// An import of types alone loads nothing, and does not count. A thread's file is reached by the URL that starts it.

import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';

export class ImportGraph {
  /** file -> those that import it */
  readonly #importers = new Map<string, string[]>();

  constructor(root: string) {
    for (const file of globSync('src/**/*.ts', { cwd: root }).sort())
      for (const target of importsOf(readFileSync(join(root, file), 'utf8'), dirname(file))) {
        const importers = this.#importers.get(target);
        if (importers === undefined) this.#importers.set(target, [file]);
        else importers.push(file);
      }
  }

  testsOf(file: string): string[] {
    const tests: string[] = [];
    const seen = new Set([file]);
    for (let near = [file]; near.length > 0; ) {
      const next = near.flatMap((of) => this.#importers.get(of) ?? []).filter((of) => !seen.has(of) && seen.add(of));
      const found = next.filter((of) => of.endsWith('.test.ts'));
      tests.push(...found.sort((one, other) => kinship(other, file) - kinship(one, file)));
      near = next.filter((of) => !of.endsWith('.test.ts'));
    }
    return tests;
  }
}

function importsOf(text: string, folder: string): Set<string> {
  const imports = text.matchAll(/^(?:import|export)\s(?!type\b)(?:[^;'"]*?\sfrom\s)?'(\.[^']+)'/gm);
  const later = text.matchAll(/(?:\bimport\(|new URL\()\s*'(\.[^']+\.ts)'/g);
  return new Set([...imports, ...later].map((match) => normalize(join(folder, match[1]!))));
}

/** Words of the name that both have count more than the folders that they share. */
function kinship(test: string, file: string): number {
  const words = new Set(basename(file, '.ts').split('-'));
  const named = basename(test, '.test.ts').split('-');
  const same = named.filter((word) => words.has(word)).length / Math.max(words.size, named.length);
  const folders = dirname(test).split('/');
  const shared = dirname(file)
    .split('/')
    .filter((folder, depth) => folders[depth] === folder).length;
  return 100 * same + shared;
}
