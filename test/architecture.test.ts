// The folder list in ARCHITECTURE.md is the law: a folder imports only from folders above it.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '..');
const source = join(root, 'src');

function listedFolders(): string[] {
  const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
  return [...text.matchAll(/^\| `([a-z]+)\/` \|/gm)].map((match) => match[1]!);
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

function importsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  const found = [...text.matchAll(/(?:from|import|import\()\s*'(\.[^']+)'/g)].map((match) => match[1]!);
  const workers = [...text.matchAll(/new URL\('(\.[^']+\.ts)'/g)].map((match) => match[1]!);
  return [...found, ...workers].map((path) => resolve(dirname(file), path));
}

test('a folder imports only from folders above it in ARCHITECTURE.md', () => {
  const order = listedFolders();
  assert.ok(order.length > 3, 'ARCHITECTURE.md has no folder table');
  const wrong: string[] = [];
  for (const file of sourceFiles(source)) {
    const [folder, ...rest] = relative(source, file).split('/');
    if (rest.length === 0) continue;
    const place = order.indexOf(folder!);
    if (place < 0) {
      wrong.push(`src/${folder}/ is not in the folder table of ARCHITECTURE.md: add its line where it belongs`);
      continue;
    }
    // A unit's own tests may set the scene with anything.
    if (file.endsWith('.test.ts')) continue;
    for (const target of importsOf(file)) {
      const [other, ...deeper] = relative(source, target).split('/');
      if (deeper.length === 0) wrong.push(`${relative(root, file)} imports ${other}: only main.ts stands outside`);
      else if (order.indexOf(other!) > place)
        wrong.push(
          `${relative(root, file)} imports from ${other}/, which stands below ${folder}/ in ARCHITECTURE.md: ` +
            `move the shared part up, or take it as a constructor argument`,
        );
    }
  }
  assert.deepEqual([...new Set(wrong)], []);
});

test('only database/ knows the engine', () => {
  const wrong = sourceFiles(source)
    .filter((file) => !relative(source, file).startsWith('database/'))
    .filter((file) => readFileSync(file, 'utf8').includes("'node:sqlite'"));
  assert.deepEqual(
    wrong.map((file) => relative(root, file)),
    [],
  );
});

/** Tables by the folder whose statements create them. */
function tableOwners(): Map<string, string> {
  const owners = new Map<string, string>();
  for (const file of sourceFiles(source)) {
    const folder = relative(source, file).split('/')[0]!;
    for (const match of readFileSync(file, 'utf8').matchAll(/CREATE TABLE (?:IF NOT EXISTS )?([a-z_]+)/g))
      if (!file.endsWith('.test.ts')) owners.set(match[1]!, folder);
  }
  return owners;
}

test('SQL stands only in the folder that owns the table', () => {
  const owners = tableOwners();
  assert.ok(owners.size > 10, 'no tables found');
  const wrong: string[] = [];
  for (const file of sourceFiles(source)) {
    const folder = relative(source, file).split('/')[0]!;
    // Tests, and what sets their scene, may look anywhere.
    if (/(\.test|\/testing)\.ts$/.test(file)) continue;
    for (const match of readFileSync(file, 'utf8').matchAll(/\b(?:FROM|INTO|UPDATE|JOIN)\s+([a-z_]+)\b/g)) {
      const owner = owners.get(match[1]!);
      if (owner !== undefined && owner !== folder)
        wrong.push(
          `${relative(root, file)} names the table ${match[1]} of ${owner}/: let that folder export a function`,
        );
    }
  }
  assert.deepEqual([...new Set(wrong)], []);
});

test('doors call functions of the units: no protocol asks the Reader itself', () => {
  const wrong: string[] = [];
  for (const file of sourceFiles(join(source, 'protocols'))) {
    if (/(\.test|\/testing)\.ts$/.test(file)) continue;
    for (const match of readFileSync(file, 'utf8').matchAll(/\b[rR]eader\.(?:get|all|arrays|snapshot|revision)\(/g))
      wrong.push(`${relative(root, file)} calls ${match[0]}...): let the unit that owns the rows export a function`);
  }
  assert.deepEqual(wrong, []);
});

test('no statement stays open across a yield: nobody iterates outside database/', () => {
  const wrong = sourceFiles(source)
    .filter((file) => !relative(source, file).startsWith('database/'))
    .filter((file) => /\.iterate\(/.test(readFileSync(file, 'utf8')));
  assert.deepEqual(
    wrong.map((file) => relative(root, file)),
    [],
  );
});

test('only server/ and main.ts read the environment', () => {
  const wrong = sourceFiles(source)
    .filter((file) => !/^(server\/|main\.ts)/.test(relative(source, file)) && !file.endsWith('.test.ts'))
    .filter((file) => readFileSync(file, 'utf8').includes('process.env'));
  assert.deepEqual(
    wrong.map((file) => relative(root, file)),
    [],
  );
});

test('dns.lookup, which blocks a thread of the pool that syncs files, is used nowhere', () => {
  const wrong = sourceFiles(source)
    .filter((file) => !file.endsWith('.test.ts'))
    .filter((file) =>
      /\bdns\.lookup\(|import \{[^}]*\blookup\b[^}]*\} from 'node:dns/.test(readFileSync(file, 'utf8')),
    );
  assert.deepEqual(
    wrong.map((file) => relative(root, file)),
    [],
  );
});

test('a bound limit is written LIMIT +?, or SQLite plans the statement anew at each call', () => {
  const wrong = sourceFiles(source)
    .filter((file) => !file.endsWith('.test.ts'))
    .filter((file) => /LIMIT \?/.test(readFileSync(file, 'utf8')));
  assert.deepEqual(
    wrong.map((file) => relative(root, file)),
    [],
  );
});
