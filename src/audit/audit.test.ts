// Lines go to the file of their day and come back in pages; what a full disk or a kill leaves is no line.

import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { until } from '../../test/support/until.ts';
import { type LogFields, silentLog } from '../base/log.ts';
import { openTestDirectory, type TestDirectory } from '../directory/testing.ts';
import { AuditFiles } from './audit-files.ts';
import { auditChanges } from './changes.ts';
import type { AuditLine } from './line.ts';
import { type AuditFilter, type AuditPosition, lastAuditedRevision, readAudit } from './read.ts';

const DAY = 86_400_000;
const NEVER = new Promise<void>(() => {});
const NOON = Date.parse('2026-11-26T12:00:00.000Z');

function setUp(context: TestContext, keepMs = 90 * DAY) {
  const root = mkdtempSync(join(tmpdir(), 'waypost-audit-'));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  const directory = join(root, 'audit');
  const at = { now: NOON };
  const logged: string[] = [];
  const note = (event: string, fields?: LogFields): void =>
    void logged.push(`${event} ${fields?.['lost'] ?? ''}`.trim());
  const clock = { now: () => at.now, monotonic: () => at.now };
  const open = () => new AuditFiles({ directory, keepMs, log: { ...silentLog, warn: note, error: note }, clock });
  return { root, directory, at, logged, clock, open };
}

const login = (at: number, name: string, more: Partial<AuditLine> = {}): AuditLine => ({
  at: new Date(at).toISOString(),
  event: 'login',
  door: 'imap',
  peer: '192.0.2.1',
  login: name,
  result: 'wrong',
  ...more,
});

async function readAll(directory: string, filter: AuditFilter = {}): Promise<AuditLine[]> {
  const lines: AuditLine[] = [];
  let from: AuditPosition | undefined;
  do {
    const page = await readAudit(directory, filter, from);
    lines.push(...page.lines);
    from = page.next;
  } while (from !== undefined);
  return lines;
}

test('lines go to the file of their day, which nobody else may read, and come back in their order', async (context) => {
  const { directory, open } = setUp(context);
  const files = open();
  const lines = [login(NOON - DAY, 'ann'), login(NOON, 'bob'), login(NOON + 1, 'ann', { result: 'ok' })];
  for (const line of lines) files.append([line]);
  await files.close();
  assert.deepEqual(readdirSync(directory), ['2026-11-25.jsonl', '2026-11-26.jsonl']);
  assert.equal(statSync(join(directory, '2026-11-26.jsonl')).mode & 0o777, 0o600);
  assert.deepEqual(await readAll(directory), lines);
});

test('the filters take what was asked for', async (context) => {
  const { directory, open } = setUp(context);
  const files = open();
  const lines = [
    login(NOON, 'Ann@acme.example', { account: 'ann@acme.example' }),
    login(NOON + 1000, 'bob@acme.example', { peer: '2001:db8::1', proxy: '192.0.2.1' }),
    login(NOON + DAY, 'nobody', { peer: '203.0.113.1' }),
  ];
  files.append(lines);
  await files.close();
  const names = async (filter: AuditFilter) => (await readAll(directory, filter)).map(({ login: name }) => name);
  assert.deepEqual(await names({ account: 'ANN@acme.example' }), ['Ann@acme.example']);
  assert.deepEqual(await names({ account: 'nobody' }), ['nobody']);
  assert.deepEqual(await names({ peer: '192.0.2.1' }), ['Ann@acme.example', 'bob@acme.example']);
  assert.deepEqual(await names({ since: '2026-11-26T12:00:01.000Z' }), ['bob@acme.example', 'nobody']);
  assert.deepEqual(await names({ since: '2026-11-27T00:00:00.000Z', account: 'nobody' }), ['nobody']);
  assert.deepEqual(await names({ since: '2026-11-29T00:00:00.000Z' }), []);
});

test('many lines come back whole, a page at a time', async (context) => {
  const { directory, open } = setUp(context);
  const files = open();
  const lines = Array.from({ length: 12_000 }, (_, i) => login(NOON + i, `user${i}@${'x'.repeat(i % 90)}.example`));
  for (let i = 0; i < lines.length; i += 500) files.append(lines.slice(i, i + 500));
  await files.close();
  const page = await readAudit(directory, {}, undefined);
  assert.ok(page.lines.length <= 1000 && page.next !== undefined);
  assert.deepEqual(await readAll(directory), lines);
  assert.deepEqual(await readAll(directory, { account: lines[11_111]!.login }), [lines[11_111]]);
});

test('half a line that a kill has left is cut off; a line that is none is passed over', async (context) => {
  const { directory, open } = setUp(context);
  const first = open();
  first.append([login(NOON, 'ann')]);
  await first.close();
  const path = join(directory, '2026-11-26.jsonl');
  appendFileSync(path, 'no JSON\n{"at":"2026-11-26T12:00:01.000Z","event":"logi');
  assert.equal((await readAll(directory)).length, 1);
  const second = open();
  second.append([login(NOON + 2000, 'bob')]);
  await second.close();
  assert.deepEqual(
    readFileSync(path, 'utf8')
      .split('\n')
      .map((line) => line.slice(0, 7)),
    ['{"at":"', 'no JSON', '{"at":"', ''],
  );
  assert.equal((await readAll(directory)).length, 2);
});

test('files that are older than they are kept go', async (context) => {
  const { directory, at, open } = setUp(context, 2 * DAY);
  const files = open();
  for (let day = 0; day < 5; day++) {
    at.now = NOON + day * DAY;
    files.append([login(at.now, 'ann')]);
    await files.write([]);
  }
  await files.close();
  assert.deepEqual(readdirSync(directory), ['2026-11-28.jsonl', '2026-11-29.jsonl', '2026-11-30.jsonl']);
});

test('what cannot be written is named once, counted, and nothing else happens', async (context) => {
  const { directory, at, logged, open } = setUp(context);
  // A file where the folder should be: no line can be written.
  writeFileSync(directory, '');
  const files = open();
  for (let i = 0; i < 3; i++) {
    files.append([login(at.now, 'ann')]);
    assert.equal(await files.write([login(at.now, 'change')]), 0);
    at.now += 10_000;
  }
  assert.deepEqual(logged, ['audit.lose']);
  rmSync(directory);
  files.append([login(at.now, 'bob')]);
  await files.close();
  assert.deepEqual(logged, ['audit.lose', 'audit.resume 3']);
  assert.deepEqual(
    (await readAll(directory)).map(({ login: name }) => name),
    ['bob'],
  );
});

type World = ReturnType<typeof setUp> & { readonly store: TestDirectory };

async function withStore(context: TestContext): Promise<World> {
  const store = await openTestDirectory();
  context.after(() => store.close());
  return { ...setUp(context), store };
}

/** Adds so many entries, a second apart. */
async function change({ store, at }: World, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    at.now += 1000;
    const dn = `ou=${store.reader.revision()},o=internet`;
    const attributes = [{ name: 'objectClass', values: ['organizationalUnit'] }];
    await store.apply({ kind: 'add', dn, attributes }, { author: 'cn=Directory Manager', now: at.now });
  }
}

/** Writes what the change log has as a process would that ends when all is written. */
async function follow({ directory, clock, store: { reader }, open }: World): Promise<void> {
  const files = open();
  const parts = { directory, files, keepMs: 90 * DAY, reader, clock, changed: async () => {}, stopped: NEVER };
  const isDone = (): boolean => {
    const texts = readdirSync(directory).map((name) => readFileSync(join(directory, name), 'utf8'));
    return texts.some((text) => text.includes(`"revision":${reader.revision()},`));
  };
  mkdirSync(directory, { recursive: true });
  await auditChanges(parts, isDone);
  await files.close();
}

const revisions = async (directory: string): Promise<(number | undefined)[]> =>
  (await readAll(directory)).filter(({ event }) => event === 'change').map(({ revision }) => revision);

test('every change is there once, in the order of revisions, however often it begins anew', async (context) => {
  const world = await withStore(context);
  await change(world, 1100);
  // The suffix was made in 1970, longer ago than lines are kept.
  const expected = Array.from({ length: 1100 }, (_, i) => i + 2);
  await follow(world);
  assert.deepEqual(await revisions(world.directory), expected);
  world.at.now += DAY;
  await change(world, 3);
  await follow(world);
  await follow(world);
  assert.deepEqual(await revisions(world.directory), [...expected, 1102, 1103, 1104]);
  const [line] = await readAll(world.directory, { account: 'ou=1,o=internet' });
  assert.deepEqual(line, {
    at: '2026-11-26T12:00:01.000Z',
    event: 'change',
    caller: 'cn=Directory Manager',
    target: 'ou=1,o=internet',
    revision: 2,
    result: 'ok',
  });
});

test('where it goes on is found behind any number of other lines, at any place where the file was cut', async (context) => {
  const world = await withStore(context);
  await change(world, 5);
  await follow(world);
  const files = world.open();
  for (let i = 0; i < 6; i++) files.append(Array.from({ length: 1000 }, () => login(NOON, `${'"change"'.repeat(i)}`)));
  await files.close();
  assert.equal(await lastAuditedRevision(world.directory), 6);
  const path = join(world.directory, '2026-11-26.jsonl');
  const whole = readFileSync(path);
  const ends = [...whole.subarray(0, 1500).entries()].filter(([, octet]) => octet === 0x0a).map(([at]) => at);
  for (let length = 0; length < ends[4]! + 3; length++) {
    writeFileSync(path, whole.subarray(0, length));
    const lines = ends.filter((end) => end < length).length;
    assert.equal(await lastAuditedRevision(world.directory), lines === 0 ? 0 : Math.min(lines, 5) + 1);
  }
  writeFileSync(path, whole.subarray(0, ends[2]! + 20));
  await follow(world);
  assert.deepEqual(await revisions(world.directory), [2, 3, 4, 5, 6]);
});

test('a store that was put back from a copy goes on with its own revisions', async (context) => {
  const world = await withStore(context);
  await change(world, 5);
  await follow(world);
  const older = { ...world, store: await openTestDirectory() };
  context.after(() => older.store.close());
  await change(older, 2);
  const files = older.open();
  let calls = 0;
  const changed = async (): Promise<void> => {
    if (++calls === 1) await change(older, 1);
  };
  const parts = { ...older, files, keepMs: 90 * DAY, reader: older.store.reader, changed, stopped: NEVER };
  await auditChanges(parts, () => calls === 2);
  await files.close();
  assert.deepEqual(await revisions(older.directory), [2, 3, 4, 5, 6, 4]);
});

test('a server that stops does not wait for files that cannot be written', async (context) => {
  const world = await withStore(context);
  const { root, directory, clock, logged, open, store } = world;
  const files = open();
  const stop = Promise.withResolvers<void>();
  let isStopped = false;
  const parts = { directory, files, keepMs: 90 * DAY, reader: store.reader, clock, changed: () => NEVER };
  await change(world, 1);
  // There are no files, and none can be made.
  symlinkSync(join(root, 'nowhere'), directory);
  const following = auditChanges({ ...parts, stopped: stop.promise }, () => isStopped);
  await until('the first line that is lost', () => logged.length > 0);
  isStopped = true;
  stop.resolve();
  await following;
  await files.close();
  assert.match(logged[0]!, /^audit\.lose/);
});
