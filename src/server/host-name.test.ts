import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { configure } from './configuration.ts';
import { hostNames } from './host-name.ts';

function open(context: TestContext) {
  const data = mkdtempSync(join(tmpdir(), 'waypost-names-'));
  context.after(() => rmSync(data, { recursive: true, force: true }));
  const none = { development: false, listen: undefined, portOffset: undefined, log: undefined };
  const configuration = (hostname?: string) => configure(undefined, '', { ...none, data, hostname });
  return {
    data,
    file: join(data, 'hostname'),
    chosen: (name: string) => hostNames(configuration(name)),
    /** No name is configured; this is the machine's. */
    machine: (name: string) => hostNames({ ...configuration(), hostname: name }),
  };
}

test('the first name is kept; the machine’s own does not replace it', (context) => {
  const host = open(context);
  assert.deepEqual(host.machine('one.example'), ['one.example']);
  assert.equal(readFileSync(host.file, 'utf8'), 'one.example\n');
  assert.deepEqual(host.machine('two.example'), ['one.example']);
  assert.deepEqual(readdirSync(host.data), ['hostname']);
});

test('a chosen name wins, and the former ones stay ours', (context) => {
  const host = open(context);
  host.machine('one.example');
  assert.deepEqual(host.chosen('two.example'), ['two.example', 'one.example']);
  assert.deepEqual(host.chosen('three.example'), ['three.example', 'two.example', 'one.example']);
  assert.deepEqual(host.machine('other.example'), ['three.example', 'two.example', 'one.example']);
  assert.deepEqual(host.chosen('one.example'), ['one.example', 'three.example', 'two.example']);
});

test('former names are bounded; the oldest are forgotten', (context) => {
  const host = open(context);
  for (let i = 0; i < 25; i++) host.chosen(`n${i}.example`);
  assert.deepEqual(
    host.machine('other.example'),
    Array.from({ length: 20 }, (_, i) => `n${24 - i}.example`),
  );
});

test('lines that are no domain are not taken for names', (context) => {
  const host = open(context);
  writeFileSync(host.file, 'one.example\n\nno name\n-x-.example\ntwo.example\n');
  assert.deepEqual(host.machine('other.example'), ['one.example', 'two.example']);
});
