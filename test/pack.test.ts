// What `npm pack` gives: in an empty folder, with the Node that is found there (20 and later), a program's test begins an estate.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '..');

const TEST = `import { createTestEstate, type TestEstate } from 'waypost/testing';
const estate: TestEstate = await createTestEstate({ users: { 'ann@acme.example': 'secret' } });
try {
  const url = \`https://localhost:\${estate.ports.https}/v1/messages\`;
  const subject: string = process.argv[2] ?? '';
  console.log(JSON.stringify([process.version, url.length > 0, subject, estate.ldap.bindDn]));
} finally {
  await estate.close();
}
`;

test('the package has JavaScript and types, and begins an estate', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-pack-'));
  context.after(() => rmSync(folder, { recursive: true }));
  await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: root });
  const [archive = ''] = readdirSync(folder);
  const modules = join(folder, 'app', 'node_modules');
  mkdirSync(join(modules, 'waypost'), { recursive: true });
  // As npm lays it out: the package, and beside it what it needs.
  await run('tar', ['xzf', join(folder, archive), '-C', join(modules, 'waypost'), '--strip-components=1']);
  for (const name of readdirSync(join(root, 'node_modules')))
    if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules, name));
  assert.deepEqual(readdirSync(join(modules, 'waypost')).sort(), [
    'LICENSE',
    'README.md',
    'dist',
    'package.json',
    'waypost',
  ]);

  const app = join(folder, 'app');
  writeFileSync(join(app, 'package.json'), '{"type":"module"}');
  writeFileSync(join(app, 'try.ts'), TEST);
  const words = ['--target', 'es2022', '--module', 'nodenext', '--strict', '--types', 'node', 'try.ts'];
  await run(join(root, 'node_modules/.bin/tsc'), words, { cwd: app });
  const { stdout } = await run('node', ['try.js', 'hi'], { cwd: app });
  const [version = '', ...said] = JSON.parse(stdout) as string[];
  assert.ok(Number(version.slice(1).split('.')[0]) >= 20, version);
  assert.deepEqual(said, [true, 'hi', 'cn=Directory Manager']);
});
