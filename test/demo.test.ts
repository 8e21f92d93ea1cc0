// `waypost demo`: what it prints, and that nothing of it stays.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type TestContext, test } from 'node:test';

const launcher = resolve(import.meta.dirname, '..', 'waypost');

interface Step {
  readonly chapter: string;
  readonly number: number | null;
  readonly step: string;
  readonly detail: readonly string[];
  readonly ms: number;
}

/** Its temporary files lie in a folder of their own, which has to be empty in the end. */
function demo(context: TestContext, arguments_: readonly string[], stopAt?: RegExp) {
  const temporary = mkdtempSync(join(tmpdir(), 'waypost-demo-test-'));
  context.after(() => rmSync(temporary, { recursive: true }));
  const child = spawn(launcher, ['demo', ...arguments_], { env: { ...process.env, TMPDIR: temporary } });
  context.after(() => child.kill('SIGKILL'));
  let [stdout, stderr, stopped] = ['', '', false];
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk;
    if (stopped || stopAt?.test(stdout) !== true) return;
    stopped = true;
    child.kill('SIGINT');
  });
  return new Promise<string>((finish, fail) => {
    child.once('close', (code) => {
      if (code !== 0) return fail(new Error(`exit code ${code}: ${stderr}`));
      assert.equal(stderr, '');
      assert.deepEqual(readdirSync(temporary), []);
      finish(stdout);
    });
  });
}

test('the steps come in order, with their numbers and times, and without colours where there is no terminal', async (context) => {
  const text = await demo(context, []);
  const order = [
    'server started',
    '602',
    '604',
    '606',
    'route',
    'channel',
    'delivered',
    'domain added',
    'record served',
  ];
  let at = 0;
  for (const word of [...order, 'user added', 'its route explained', 'reply: 250', 'user removed', '550 5.1.1']) {
    const found = text.indexOf(word, at);
    assert.ok(found >= 0, `${word} in its place in:\n${text}`);
    at = found;
  }
  assert.match(text, /\n {2}602 +\d+\.\d ms {2}name received +rome\.office\.acme\.example/);
  assert.doesNotMatch(text, /\x1b/);
});

test('--json: the steps as one array; two demonstrations at once', async (context) => {
  const [steps] = (await Promise.all([demo(context, ['--json']), demo(context, ['--json'])])).map(
    (text) => JSON.parse(text) as Step[],
  );
  assert.deepEqual(
    steps!.flatMap(({ number }) => (number === null ? [] : [number])),
    [602, 604, 606],
  );
  for (const { chapter, step, detail, ms } of steps!) {
    assert.ok(chapter !== '' && step !== '' && detail.length > 0);
    assert.ok(ms >= 0);
  }
});

test('Ctrl-C in the middle: a clean stop, and nothing left', async (context) => {
  const text = await demo(context, [], /604/);
  assert.doesNotMatch(text, /All of it took/);
});

test('Ctrl-C before the server is ready', async (context) => {
  await demo(context, [], /Waypost demo/);
});
