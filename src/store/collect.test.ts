import assert from 'node:assert/strict';
import { readdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import type { Failure } from '../base/failure.ts';
import { idOf, type SegmentId } from '../base/ids.ts';
import { INBOX } from './accounts.ts';
import { BLOB_CHUNK_BYTES, Blobs } from './blobs.ts';
import { closeAllSegments, collect, highestId, NO_SEGMENT, openSegment } from './collect.ts';
import { expunge } from './expunge.ts';
import { ownMailbox } from './mailbox-key.ts';
import { createMailbox, deleteMailbox } from './mailboxes.ts';
import { getMessage, messagesBetween } from './messages.ts';
import { segmentPath } from './segment.ts';
import { TestStore } from './testing.ts';

async function open(context: TestContext) {
  const store = new TestStore();
  context.after(() => store.close());
  const account = await store.account();
  const collected: number[] = [];
  store.database.onNotification((notification) => {
    if (notification.kind === 'segment') collected.push(notification.segment);
  });
  const { reader, writer } = store.database;
  return {
    store,
    account,
    reader,
    writer,
    collected,
    collect: (after: SegmentId = NO_SEGMENT) => writer.execute(collect, { after }),
  };
}

const LARGE = `Subject: large\r\n\r\n${'line\r\n'.repeat(300_000)}`;

test('a segment goes when no row refers to it any more and it is closed', async (context) => {
  const { store, account, writer, collected, ...box } = await open(context);
  await store.append(account, 'INBOX', LARGE);
  await store.append(account, 'INBOX', 'small');
  const [large, small] = [1, 2].map(
    (uid) => messagesBetween(box.reader, ownMailbox(account, INBOX), [idOf(uid), idOf(uid)], 1)[0]!.blob.segment,
  );
  await box.collect();
  assert.deepEqual(collected, []);
  const all = { owner: account, mailbox: INBOX, ranges: undefined, deletedOnly: false };
  await writer.execute(expunge, all);
  assert.deepEqual(await box.collect(), { more: false, after: NO_SEGMENT });
  // The small one's segment is still open.
  assert.deepEqual(collected, [large]);
  await writer.execute(closeAllSegments, { at: 9 });
  await box.collect();
  assert.deepEqual(collected, [large, small]);
  assert.equal(store.count('segment'), 0);
});

test('many segments are looked at in slices', async (context) => {
  const { writer, collected, ...box } = await open(context);
  for (let id = 1; id <= 2001; id++)
    await writer.execute(openSegment, { segment: idOf<SegmentId>(id), thread: 1, at: 5 });
  await writer.execute(closeAllSegments, { at: 9 });
  const first = await box.collect();
  assert.deepEqual(first, { more: true, after: 2000 });
  assert.equal(collected.length, 2000);
  assert.deepEqual(await box.collect(idOf<SegmentId>(first.after)), { more: false, after: NO_SEGMENT });
  assert.equal(collected.at(-1), 2001);
});

test('a deleted mailbox loses its messages slice by slice; copies elsewhere keep theirs', async (context) => {
  const { store, account, writer, ...box } = await open(context);
  await writer.execute(createMailbox, { owner: account, name: 'Doomed' });
  for (let i = 0; i < 25; i++)
    await Promise.all(Array.from({ length: 100 }, () => store.append(account, 'Doomed', 'x', { keywords: ['k'] })));
  await store.append(account, 'INBOX', 'kept');
  await writer.execute(deleteMailbox, { owner: account, name: 'Doomed' });
  assert.deepEqual(await store.problems(), []);
  assert.deepEqual(await box.collect(), { more: true, after: NO_SEGMENT });
  assert.equal(store.count('mailbox_message'), 501);
  while ((await box.collect()).more);
  assert.equal(store.count('message'), 1);
  assert.equal(store.count('keyword'), 0);
  assert.equal(store.count('doomed_mailbox'), 0);
  assert.deepEqual(await store.problems(), []);
});

test('new ids lie above all that the store has', async (context) => {
  const { store, account, reader } = await open(context);
  assert.equal(highestId(reader), 0);
  await store.append(account, 'INBOX', 'x');
  const { id, blob } = messagesBetween(reader, ownMailbox(account, INBOX), [idOf(1), idOf(1)], 1)[0]!;
  assert.equal(highestId(reader), Math.max(id, blob.segment));
  assert.equal(getMessage(reader, id).blob.offset, blob.offset);
  assert.throws(() => getMessage(reader, idOf(id + 1)), { kind: 'not-found' });
});

test('ranges of a blob; a file that is cut, or gone before its row, is unavailable; one that was collected is not-found', async (context) => {
  const { store, account, reader, writer, ...box } = await open(context);
  const text = `Subject: ranges\r\n\r\n${'0123456789'.repeat(50_000)}`;
  await store.append(account, 'INBOX', text);
  const { blob } = messagesBetween(reader, ownMailbox(account, INBOX), [idOf(1), idOf(1)], 1)[0]!;
  const { blobs } = store;
  assert.equal((await blobs.read(blob)).toString(), text);
  assert.equal((await blobs.read(blob, 9, 6)).toString(), 'ranges');
  assert.equal((await blobs.read(blob, text.length - 3, BLOB_CHUNK_BYTES)).toString(), '789');
  assert.equal((await blobs.read(blob, text.length, 5)).length, 0);
  assert.equal((await blobs.read(blob, text.length + 5)).length, 0);
  await assert.rejects(blobs.read({ ...blob, length: blob.length + 1 }), { kind: 'unavailable' });
  const path = segmentPath(store.segmentsPath, blob.segment);
  // A reader that has the file open goes on until it gets the order to forget it.
  unlinkSync(path);
  const reading = blobs.read(blob);
  blobs.forget(blob.segment);
  assert.equal((await reading).length, text.length);
  for (const _ of [1, 2]) await assert.rejects(blobs.read(blob), { kind: 'unavailable' });
  await writer.execute(expunge, { owner: account, mailbox: INBOX, ranges: undefined, deletedOnly: false });
  await writer.execute(closeAllSegments, { at: 9 });
  await box.collect();
  for (const _ of [1, 2]) await assert.rejects(blobs.read(blob), { kind: 'not-found' });
});

test('what is asked for in one turn, lying together or apart, overlapping, twice, cut or of a file that is gone: each gets its own', async (context) => {
  const { store } = await open(context);
  const [first, second, gone] = [idOf<SegmentId>(1), idOf<SegmentId>(2), idOf<SegmentId>(3)];
  const bytes = Buffer.from(Array.from({ length: 600_000 }, (_, i) => (i * 7) & 255));
  for (const id of [first, second]) writeFileSync(segmentPath(store.segmentsPath, id), bytes);
  const blobs = new Blobs(store.segmentsPath, store.database.reader);
  context.after(() => blobs.close());
  const rangeOf = (segment: SegmentId, offset: number, length: number) => ({ segment, offset, length });
  const neighbours = Array.from({ length: 40 }, (_, i) => rangeOf(i % 3 === 0 ? second : first, i * 10_100, 10_000));
  const odd = [rangeOf(first, 5_000, 20_000), rangeOf(first, 0, 500_000), rangeOf(first, 5_000, 20_000)];
  const cut = [rangeOf(second, 599_000, 900), rangeOf(second, 599_900, 200)];
  const asked = [...neighbours, ...odd, ...cut, rangeOf(gone, 0, 10)].toReversed();
  const outcomes = await Promise.all(
    asked.map(({ segment, offset, length }) =>
      blobs.readSegment(segment, offset, offset + length).catch((error: Failure) => error.kind),
    ),
  );
  const expected = asked.map(({ segment, offset, length }) => {
    if (segment === gone) return 'not-found';
    return offset + length > bytes.length ? 'unavailable' : bytes.subarray(offset, offset + length);
  });
  assert.deepEqual(outcomes, expected);
});

test('many segments, few descriptors', async (context) => {
  const { store } = await open(context);
  const ids = Array.from({ length: 200 }, (_, i) => i + 1);
  for (const id of ids) writeFileSync(segmentPath(store.segmentsPath, idOf(id)), `text ${id}`);
  const blobs = new Blobs(store.segmentsPath, store.database.reader);
  const open_ = (): number => readdirSync('/proc/self/fd').length;
  const before = open_();
  const texts = await Promise.all(ids.map((segment) => blobs.readSegment(idOf(segment), 0, 5)));
  assert.ok(texts.every((text) => text.toString() === 'text '));
  await new Promise((turn) => setTimeout(turn, 20));
  assert.ok(open_() <= before + 70, `${open_() - before} descriptors`);
  blobs.close();
});
