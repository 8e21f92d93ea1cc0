import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const LOADER = join(import.meta.dirname, 'load-sources.ts');
const PROGRAM = `import { said } from './said.ts';
import { Worker, isMainThread } from 'node:worker_threads';
const from: string = isMainThread ? 'main' : 'thread';
console.log(from, said);
if (isMainThread) new Worker(new URL(import.meta.url));
`;

test('sources are stripped once and kept, and read again when they have changed', (context) => {
  const root = mkdtempSync(join(tmpdir(), 'waypost-load-'));
  context.after(() => rmSync(root, { recursive: true }));
  const server = join(root, 'src/server');
  const cache = join(root, 'cache');
  mkdirSync(server, { recursive: true });
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  cpSync(LOADER, join(server, 'load-sources.ts'));
  writeFileSync(join(server, 'program.ts'), PROGRAM);
  const say = (what: string): void =>
    writeFileSync(join(server, 'said.ts'), `export const said: string = '${what}';\n`);
  const run = (folder = cache): string => {
    const env = { ...process.env, NODE_COMPILE_CACHE: folder };
    const words = ['--import', join(server, 'load-sources.ts'), join(server, 'program.ts')];
    const { stdout, stderr } = spawnSync(process.execPath, words, { env, encoding: 'utf8' });
    assert.equal(stderr, '', 'no warning that a user would have to read');
    return stdout;
  };
  const kept = (name: string): string[] => globSync(`${cache}/*/stripped/*${name}.ts`);

  say('one');
  assert.equal(run(), 'main one\nthread one\n');
  const [program = ''] = kept('program');
  const { mtimeMs } = statSync(program);
  assert.equal(run(), 'main one\nthread one\n');
  assert.equal(statSync(program).mtimeMs, mtimeMs, 'the kept text is used');

  // Of the same length and, as far as anybody can set it, of the same age.
  const { atime, mtime } = statSync(join(server, 'said.ts'));
  say('two');
  utimesSync(join(server, 'said.ts'), atime, mtime);
  assert.equal(run(), 'main two\nthread two\n');

  for (const spoilt of kept('said')) writeFileSync(spoilt, 'export const said = "spo');
  assert.equal(run(), 'main two\nthread two\n');
  assert.equal(run('/dev/null'), 'main two\nthread two\n', 'without a folder to keep them in');
});
