import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { MESSAGE_BUFFER_BYTES, THREAD_BUFFER_BYTES } from '../base/limits.ts';
import type { TakenMessage } from './intake.ts';
import { TestStore } from './testing.ts';

function open(context: TestContext): TestStore {
  const store = new TestStore();
  context.after(() => store.close());
  return store;
}

/** Text of about this size, so that the parser has something to look at. */
function text(size: number): Buffer {
  const header = 'Subject: large\r\n\r\n';
  return Buffer.from(header + `${randomBytes(36).toString('base64')}\r\n`.repeat(size / 50), 'latin1');
}

async function bytesOf(store: TestStore, { row }: TakenMessage): Promise<Buffer> {
  const bytes = await store.blobs.read(row.blob);
  assert.deepEqual(createHash('sha256').update(bytes).digest(), Buffer.from(row.blob.hash));
  return bytes;
}

const TRACE = 'Return-Path: <a@b.example>\r\n';
const FIELDS = 'Received: by test\r\n';

for (const [name, size] of [
  ['small', 2000],
  ['just below the buffer', MESSAGE_BUFFER_BYTES - 100],
  ['large', MESSAGE_BUFFER_BYTES + 100_000],
] as const)
  test(`${name}: what was put before it, then its bytes, in whatever chunks`, async (context) => {
    const store = open(context);
    const body = text(size);
    const intake = store.intake(TRACE, FIELDS);
    for (let at = 0; at < body.length; at += 65_521) await intake.write(body.subarray(at, at + 65_521));
    assert.equal(intake.length, body.length);
    const taken = await intake.finish(5);
    assert.deepEqual(await bytesOf(store, taken), Buffer.concat([Buffer.from(TRACE + FIELDS), body]));
    assert.equal(taken.row.traceBytes, TRACE.length);
    assert.match(taken.row.header, /large/);
    taken.pending.settle();
    assert.equal(store.intakes.held.bytes, 0);
  });

for (const [name, size] of [
  ['small', 2000],
  ['large', MESSAGE_BUFFER_BYTES + 100_000],
] as const)
  for (const signature of ['DKIM-Signature: v=1\r\n', ''])
    test(`${name}: ${signature === '' ? 'not signed after all' : 'signed behind Return-Path'}`, async (context) => {
      const store = open(context);
      const body = text(size);
      const intake = store.intake(TRACE, FIELDS, { mayBeSigned: true });
      for (let at = 0; at < body.length; at += 65_521) await intake.write(body.subarray(at, at + 65_521));
      const taken = await intake.finish(5, 'crlf', async (unsigned) => {
        assert.equal(unsigned.id, intake.id);
        assert.equal(unsigned.header.text, `${FIELDS}${body.toString('latin1', 0, 18)}`);
        assert.deepEqual(unsigned.body, body.subarray(18));
        return signature;
      });
      const expected = Buffer.concat([Buffer.from(TRACE + signature + FIELDS), body]);
      assert.deepEqual(await bytesOf(store, taken), expected);
      assert.equal(taken.row.traceBytes, TRACE.length);
      assert.equal(taken.parsed.structure.bodyEnd, expected.length);
      await store.place([await store.account()], taken);
      assert.deepEqual(await store.problems(), []);
      assert.equal(store.intakes.held.bytes, 0);
    });

test('a signature that cannot be made: nothing is taken, and the next message is', async (context) => {
  const store = open(context);
  for (const size of [2000, MESSAGE_BUFFER_BYTES + 100_000]) {
    const intake = store.intake(TRACE, FIELDS, { mayBeSigned: true });
    await intake.write(text(size));
    await assert.rejects(
      intake.finish(5, 'crlf', () => Promise.reject(new Error('no key'))),
      /no key/,
    );
    intake.abandon();
    assert.equal(store.intakes.held.bytes, 0);
  }
  const next = store.intake();
  await next.write(text(MESSAGE_BUFFER_BYTES + 1000));
  (await next.finish(1)).pending.settle();
});

test('many messages at once: beyond the thread’s bound they are written out, and none is lost', async (context) => {
  const store = open(context);
  const body = text(MESSAGE_BUFFER_BYTES - 1000);
  const intakes = Array.from({ length: 80 }, () => store.intake());
  await Promise.all(intakes.map((intake) => intake.write(body)));
  assert.ok(store.intakes.held.bytes <= THREAD_BUFFER_BYTES);
  const taken = await Promise.all(intakes.map((intake) => intake.finish(5)));
  assert.equal(store.intakes.held.bytes, 0);
  const segments = new Set(taken.map(({ row }) => row.blob.segment));
  assert.ok(segments.size > 1, 'nothing was written out');
  for (const message of taken) {
    assert.deepEqual(await bytesOf(store, message), body);
    message.pending.settle();
  }
});

test('given up at any moment, nothing is held', async (context) => {
  const store = open(context);
  const chunk = text(MESSAGE_BUFFER_BYTES / 2);
  for (const chunks of [0, 1, 2, 3, 4]) {
    const intake = store.intake();
    const writes: (Promise<void> | undefined)[] = [];
    for (let i = 0; i < chunks; i++) {
      const written = intake.write(chunk);
      // Also while the file is still being made.
      if (i < chunks - 1) await written;
      else writes.push(written);
    }
    intake.abandon();
    await Promise.allSettled(writes);
    // What was on its way comes too late.
    intake.write(chunk);
    assert.equal(store.intakes.held.bytes, 0);
  }
});

test('no space for a large message’s file: full, and nothing is held', async (context) => {
  const store = open(context);
  store.isFull = true;
  const intake = store.intake();
  await assert.rejects(Promise.resolve(intake.write(text(MESSAGE_BUFFER_BYTES + 1000))), { kind: 'full' });
  intake.abandon();
  assert.equal(store.intakes.held.bytes, 0);
  store.isFull = false;
  const next = store.intake();
  await next.write(text(100));
  (await next.finish(1)).pending.settle();
});
