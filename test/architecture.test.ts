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

/** Without the units' own tests. */
function productFiles(): string[] {
  return sourceFiles(source).filter((file) => !file.endsWith('.test.ts'));
}

/** The folder below src/, '' for main.ts. */
function folderOf(file: string): string {
  const [folder, ...rest] = relative(source, file).split('/');
  return rest.length === 0 ? '' : folder!;
}

/** What is left when the types are taken away. `import { type T }` is left, too: it loads the file. */
function valueImportsOf(file: string): string[] {
  const text = readFileSync(file, 'utf8');
  return [...text.matchAll(/^(?:import|export)\s(?!type\b)(?:[^;'"]*?\sfrom\s)?'(\.[^']+)'/gm)].map((match) =>
    resolve(dirname(file), match[1]!),
  );
}

/** One circle for each import that closes one, in a walk from every file. */
function circlesOf(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const circles: string[][] = [];
  const done = new Set<string>();
  const way: string[] = [];
  const walk = (file: string): void => {
    const at = way.indexOf(file);
    if (at >= 0) circles.push([...way.slice(at), file]);
    if (at >= 0 || done.has(file)) return;
    way.push(file);
    for (const target of imports.get(file) ?? []) walk(target);
    way.pop();
    done.add(file);
  };
  for (const file of imports.keys()) walk(file);
  return circles;
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

test('no two folders import from each other', () => {
  const imported = new Set<string>();
  for (const file of productFiles()) {
    const folder = folderOf(file);
    for (const target of importsOf(file))
      if (folderOf(target) !== folder) imported.add(`${folder} ${folderOf(target)}`);
  }
  assert.ok(imported.size > 30, 'no imports found');
  const both = [...imported].filter((pair) => imported.has(pair.split(' ').reverse().join(' ')));
  assert.deepEqual(both, []);
});

test('no circle of value imports: each file can be loaded before those that need it', () => {
  const files = productFiles();
  const imports = new Map(files.map((file) => [file, valueImportsOf(file)]));
  assert.ok([...imports.values()].flat().length > 500, 'no imports found');
  const circles = circlesOf(imports);
  assert.deepEqual(
    circles.map((circle) => circle.map((file) => relative(source, file)).join(' -> ')),
    [],
  );
});

test('a circle of value imports is found', () => {
  const imports = new Map([
    ['a', ['b', 'c']],
    ['b', []],
    ['c', ['b', 'd']],
    ['d', ['a']],
  ]);
  assert.deepEqual(circlesOf(imports), [['a', 'c', 'd', 'a']]);
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

/** Where the name of a channel may stand: what makes targets, the kinds, the channels; transfer/ways-out.ts registers these. */
const NAMES_CHANNELS = /^(routing\/(targets|compile-channel)\.ts|transfer\/channels\/)/;
/** Doors have such names, too. */
const DOOR_NAME = /\bdoor: '[a-z]+'|\bDOORS = \[[^\]]*\]/g;

test("a channel is known by its interface: nothing compares a channel's name", () => {
  const wrong: string[] = [];
  for (const file of sourceFiles(source).filter((name) => !name.endsWith('.test.ts'))) {
    const path = relative(source, file);
    const text = readFileSync(file, 'utf8').replace(DOOR_NAME, '');
    if (/\bchannel(\.name)?\s*[!=]==\s*['"`]/.test(text)) wrong.push(`src/${path} compares a channel's name`);
    const mayName = NAMES_CHANNELS.test(path) || !/^(routing|transfer|admin)\//.test(path);
    if (!mayName && /'(store|smtp)'/.test(text)) wrong.push(`src/${path} names a channel`);
  }
  assert.deepEqual(wrong, []);
});

/** What package.json gives to other programs, by the file that it is made from. */
function forOthers(): ReadonlySet<string> {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Readonly<Record<string, { readonly default: string }>>;
  };
  return new Set(Object.values(exports).map((each) => each.default.replace('./dist/', 'src/').replace(/js$/, 'ts')));
}

/** Tests, and what sets their scene. */
const isForTests = (file: string): boolean => /(\.test|\/testing)\.ts$|^test\//.test(file);

interface Export {
  readonly name: string;
  /** From the root. */
  readonly file: string;
  readonly isType: boolean;
  readonly isUsedInside: boolean;
}

/** What each file of src/ declares and exports itself; a name that is handed on is the other file's. */
function declaredExports(): Export[] {
  return sourceFiles(source).flatMap((path) => {
    const text = readFileSync(path, 'utf8');
    const declarations = text.matchAll(
      /^export (?:async |abstract )*(const|let|function\*?|class|interface|type) (\w+)/gm,
    );
    return [...declarations].map(([, kind, name]) => ({
      name: name!,
      file: relative(root, path),
      isType: kind === 'interface' || kind === 'type',
      isUsedInside: [...text.matchAll(new RegExp(`\\b${name}\\b`, 'g'))].length > 1,
    }));
  });
}

/** The importers of a name of a file: `src/base/log.ts silentLog` -> files; those of a whole file under `*`. */
function importers(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  const note = (path: string, file: string, name: string): void => {
    const key = `${relative(root, resolve(dirname(path), file))} ${name}`;
    found.set(key, [...(found.get(key) ?? []), relative(root, path)]);
  };
  const files = ['src', 'test', 'bench', 'docs'].flatMap((folder) => sourceFiles(join(root, folder)));
  for (const path of files) {
    const text = readFileSync(path, 'utf8');
    for (const [, names, file] of text.matchAll(/^(?:import|export) (?:type )?\{([^}]*)\} from '(\.[^']+)'/gm))
      for (const each of names!.split(',')) {
        const name = each
          .trim()
          .replace(/^type /, '')
          .split(' as ')[0]!;
        if (name !== '') note(path, file!, name);
      }
    for (const [, file] of text.matchAll(/\* (?:as \w+ )?from '(\.[^']+)'/g)) note(path, file!, '*');
    for (const [, file] of text.matchAll(/\bimport\('(\.[^']+)'\)/g)) note(path, file!, '*');
  }
  return found;
}

/** Of wire/ and protocols/, where each protocol has names of its own. */
const protocolOf = (file: string): string | undefined => /^src\/(?:wire|protocols)\/(\w+)\//.exec(file)?.[1];
/** What answers a command has the command's name, as the store's operation for it may have. */
const isHandler = (file: string): boolean => /^src\/protocols\/\w+\/(commands|operations)\//.test(file);

test('one exported name has one meaning', () => {
  const byName = Map.groupBy(
    declaredExports().filter(({ file }) => !isForTests(file) && !isHandler(file)),
    ({ name }) => name,
  );
  const wrong: string[] = [];
  for (const [name, all] of byName) {
    const files = all.map(({ file }) => file);
    const protocols = files.map(protocolOf);
    const areApart = !protocols.includes(undefined) && new Set(protocols).size === files.length;
    if (files.length > 1 && !areApart) wrong.push(`${name} is exported by ${files.join(' and ')}: rename one of them`);
  }
  assert.deepEqual(wrong, []);
});

test('what is exported is used elsewhere, and not by tests alone', () => {
  const users = importers();
  const given = forOthers();
  const wrong: string[] = [];
  for (const { name, file, isType, isUsedInside } of declaredExports()) {
    if (isForTests(file) || given.has(file)) continue;
    const all = [...(users.get(`${file} ${name}`) ?? []), ...(users.get(`${file} *`) ?? [])];
    // A type may be exported because an exported function speaks of it.
    if (all.some((user) => !isForTests(user)) || (isUsedInside && (isType || all.length > 0))) continue;
    wrong.push(`${file} exports ${name} for ${all.length > 0 ? 'tests alone' : 'nobody'}`);
  }
  assert.deepEqual(wrong, []);
});

/** Node takes the tests for over when those that it knows are: it ends the process, and the file has passed without the others. */
test('a file of tests awaits nothing behind its first test', () => {
  const files = [source, join(root, 'test')].flatMap(sourceFiles).filter((file) => file.endsWith('.test.ts'));
  const wrong = files.filter((file) => {
    const lines = readFileSync(file, 'utf8').split('\n');
    const first = lines.findIndex((line) => /^ {0,2}(?:await )?(?:test|describe|it)[.(]/.test(line));
    return lines.slice(first).some((line) => /^(?:[^ /*].*)?\bawait\b/.test(line) && !/\basync\b/.test(line));
  });
  assert.ok(files.length > 100);
  assert.deepEqual(
    wrong.map((file) => relative(root, file)),
    [],
  );
});
