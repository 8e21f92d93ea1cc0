import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import fs, { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../base/failure.ts';
import { idOf } from '../base/ids.ts';
import { SEGMENT_BYTES } from '../base/limits.ts';
import {
  type Blob,
  LargeMessage,
  parseRecordHeader,
  RECORD_HEADER_BYTES,
  recordHeader,
  type SegmentHost,
  SegmentWriter,
  segmentPath,
} from './segment.ts';

interface TestHost extends SegmentHost {
  readonly life: string[];
  readonly fatals: Error[];
  isFull: boolean;
  isSlow: boolean;
  whenWritten: () => void;
}

function openHost(context: TestContext): TestHost {
  const directory = mkdtempSync(join(tmpdir(), 'waypost-segments-'));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  let last = 100;
  const host: TestHost = {
    directory,
    life: [],
    fatals: [],
    isFull: false,
    isSlow: true,
    nextId: () => idOf(++last),
    isSyncSlow: () => host.isSlow,
    written: () => host.whenWritten(),
    whenWritten: () => {},
    async opened(segment) {
      if (host.isFull) throw new Failure('full', 'no space');
      host.life.push(`opened ${segment}`);
    },
    async closed(segment, bytes) {
      host.life.push(`closed ${segment} ${bytes}`);
    },
    fatal: (error) => host.fatals.push(error),
  };
  return host;
}

const sha = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

function read(host: TestHost, { segment, offset, length }: Blob): Buffer {
  return readFileSync(segmentPath(host.directory, segment)).subarray(offset, offset + length);
}

const put = (writer: SegmentWriter, id: number, bytes: Uint8Array) =>
  writer.append(idOf(id), [bytes], bytes.length, sha(bytes));

test('a record header is read as it was written, and no other 32 bytes are one', () => {
  fc.assert(
    fc.property(
      fc.maxSafeNat(),
      fc.maxSafeNat(),
      fc.nat(0xffffffff),
      fc.nat(31),
      fc.integer({ min: 1, max: 255 }),
      (id, length, checksum, at, change) => {
        const header = recordHeader(idOf(id), length, checksum);
        assert.deepEqual(parseRecordHeader(header), { id, length, codec: 0, checksum });
        header[at]! ^= change;
        assert.equal(parseRecordHeader(header), undefined);
      },
    ),
  );
  assert.equal(parseRecordHeader(recordHeader(idOf(1), 2, 3).subarray(0, 31)), undefined);
});

test('messages appended in one turn lie one behind the other, and in pieces as in one', async (context) => {
  const host = openHost(context);
  const writer = new SegmentWriter(host);
  // More buffers than one writev takes.
  const messages = Array.from({ length: 700 }, (_, i) => randomBytes(i));
  const pending = await Promise.all(
    messages.map((bytes, i) =>
      writer.append(idOf(i), [bytes.subarray(0, i >> 1), bytes.subarray(i >> 1)], bytes.length, sha(bytes)),
    ),
  );
  const blobs = pending.map(({ blob }) => blob);
  assert.deepEqual(new Set(blobs.map(({ segment }) => segment)).size, 1);
  let at = 0;
  for (const [i, blob] of blobs.entries()) {
    assert.equal(blob.offset, at + RECORD_HEADER_BYTES);
    assert.deepEqual(read(host, blob), messages[i]);
    at = blob.offset + blob.length;
  }
  for (const { settle } of pending) settle();
  await writer.close();
  assert.deepEqual(host.life, ['opened 101', `closed 101 ${at}`]);
});

test('the host hears that bytes are written when all that follows from them has been called, in the same turn', async (context) => {
  const host = openHost(context);
  host.isSlow = false;
  const writer = new SegmentWriter(host);
  const called: string[] = [];
  host.whenWritten = () => called.push('written');
  const submit = async (id: number): Promise<void> => {
    const { settle } = await writer.append(idOf(id), [], 0, sha(Buffer.alloc(0)));
    // Once the segment is open nothing but promises lies between bytes and call.
    setImmediate(() => called.push('next turn'));
    for (let step = 0; step < 20; step++) await undefined;
    called.push(`submitted ${id}`);
    settle();
  };
  await Promise.all([submit(1), submit(2)]);
  await new Promise((turn) => setImmediate(turn));
  assert.deepEqual(called.slice(0, 3), ['submitted 1', 'submitted 2', 'written']);
  await writer.close();
});

test('where a sync is quick none is made here, and the blob says so', async (context) => {
  const host = openHost(context);
  host.isSlow = false;
  const writer = new SegmentWriter(host);
  const sync = context.mock.method(fs, 'fdatasync');
  syncBuiltinESMExports();
  context.after(() => {
    sync.mock.restore();
    syncBuiltinESMExports();
  });
  const quick = await put(writer, 1, Buffer.from('quick'));
  assert.equal(quick.blob.isUnsynced, true);
  assert.equal(sync.mock.callCount(), 0);
  host.isSlow = true;
  const slow = await put(writer, 2, Buffer.from('slow'));
  assert.equal(slow.blob.isUnsynced, undefined);
  assert.equal(sync.mock.callCount(), 1);
  for (const { settle } of [quick, slow]) settle();
  await writer.close();
});

test('messages of one turn share a sync, and those that come while it runs share the next', async (context) => {
  const host = openHost(context);
  const writer = new SegmentWriter(host);
  const sync = context.mock.method(fs, 'fdatasync');
  syncBuiltinESMExports();
  context.after(() => {
    sync.mock.restore();
    syncBuiltinESMExports();
  });
  const twenty = (from: number) =>
    Array.from({ length: 20 }, (_, i) => put(writer, from + i, Buffer.from(`message ${from + i}`)));
  const alone = await Promise.all(twenty(0));
  assert.equal(sync.mock.callCount(), 1);
  const first = twenty(20);
  while (sync.mock.callCount() === 1) await new Promise((turn) => setImmediate(turn));
  const second = twenty(40);
  const pending = [...alone, ...(await Promise.all([...first, ...second]))];
  for (const [i, { blob, settle }] of pending.entries()) {
    assert.equal(read(host, blob).toString(), `message ${i}`);
    settle();
  }
  assert.equal(sync.mock.callCount(), 3);
  await writer.close();
});

test('an error that is not want of space ends the process, and nothing is acknowledged', async (context) => {
  const host = openHost(context);
  rmSync(host.directory, { recursive: true });
  const writer = new SegmentWriter(host);
  await assert.rejects(put(writer, 1, Buffer.from('x')), { kind: 'unavailable' });
  assert.equal(host.fatals.length, 1);
  await assert.rejects(LargeMessage.create(host, idOf(2)), { kind: 'unavailable' });
  assert.equal(host.fatals.length, 2);
  assert.deepEqual(host.life, []);
  await writer.close();
});

test('a full segment is closed when the last row that names it has its outcome, not before', async (context) => {
  const host = openHost(context);
  const writer = new SegmentWriter(host);
  const small = await put(writer, 1, Buffer.from('small'));
  const large = await put(writer, 2, Buffer.alloc(SEGMENT_BYTES));
  large.settle();
  const next = await put(writer, 3, Buffer.from('next'));
  assert.notEqual(next.blob.segment, small.blob.segment);
  assert.deepEqual(host.life, ['opened 101', 'opened 102']);
  small.settle();
  assert.equal(host.life.length, 3);
  assert.match(host.life[2]!, /^closed 101 /);
  next.settle();
  await writer.close();
  assert.match(host.life[3]!, /^closed 102 /);
});

test('no space for a segment’s row: refused as full, no file and no descriptor stay, and it goes on later', async (context) => {
  const host = openHost(context);
  const writer = new SegmentWriter(host);
  host.isFull = true;
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  await assert.rejects(put(writer, 1, Buffer.from('x')), { kind: 'full' });
  const before = descriptors();
  for (let i = 0; i < 20; i++) {
    await assert.rejects(put(writer, 1, Buffer.from('x')), { kind: 'full' });
    await assert.rejects(LargeMessage.create(host, idOf(1)), { kind: 'full' });
  }
  assert.ok(descriptors() <= before + 2, `${descriptors()} descriptors, ${before} before`);
  assert.deepEqual(readdirSync(host.directory), []);
  host.isFull = false;
  const { blob, settle } = await put(writer, 2, Buffer.from('later'));
  assert.equal(read(host, blob).toString(), 'later');
  settle();
  await writer.close();
  assert.deepEqual(host.fatals, []);
});

test('a large message is whole in a file of its own; given up, it is reported as closed', async (context) => {
  const host = openHost(context);
  const large = await LargeMessage.create(host, idOf(7));
  const bytes = randomBytes(300_000);
  for (let at = 0; at < bytes.length; at += 70_000) await large.write(bytes.subarray(at, at + 70_000));
  assert.deepEqual((await large.read(3)).subarray(3), bytes);
  const { blob, settle } = await large.finish(sha(bytes));
  assert.deepEqual(read(host, blob), bytes);
  const header = parseRecordHeader(readFileSync(segmentPath(host.directory, blob.segment)).subarray(0, 32));
  assert.equal(header?.id, 7);
  assert.equal(header?.length, bytes.length);
  settle();
  const other = await LargeMessage.create(host, idOf(8));
  await other.write(bytes);
  other.abandon();
  await assert.rejects(other.write(bytes), { kind: 'unavailable' });
  await assert.rejects(other.finish(sha(bytes)), { kind: 'unavailable' });
  assert.deepEqual(host.fatals, []);
  const closed = (): string[] => host.life.filter((line) => line.startsWith('closed'));
  while (closed().length < 2) await new Promise((turn) => setImmediate(turn));
  assert.deepEqual(closed().sort(), ['closed 101 300032', 'closed 102 300032']);
});

/** Run in a process that may write no file above 64 KiB: the write that crosses the limit is short, the next one fails. */
const SHORT = `
import { LargeMessage, SegmentWriter } from '${join(import.meta.dirname, 'segment.ts')}';
const fatals = [];
const host = { directory: process.argv[1], nextId: () => Number(process.argv[2]), opened: async () => {}, closed: async () => {},
  fatal: (error) => fatals.push(error.message) };
const bytes = Buffer.alloc(100_000, 'x');
let outcome = 'acknowledged';
try {
  if (process.argv[2] === '1') await new SegmentWriter(host).append(1, [bytes], bytes.length, Buffer.alloc(32));
  else {
    const large = await LargeMessage.create(host, 1);
    await large.write(bytes);
    await large.finish(Buffer.alloc(32));
  }
} catch (error) { outcome = error.kind; }
console.log(JSON.stringify({ outcome, fatals: fatals.length }));
`;

test('a write that comes out short is never taken for a whole one', {
  skip: process.platform !== 'linux',
}, (context) => {
  const { directory } = openHost(context);
  for (const segment of ['1', '2']) {
    mkdirSync(directory, { recursive: true });
    const limited = `trap '' XFSZ; ulimit -f 128; exec "$0" --input-type=module-typescript -e "$1" "$2" ${segment}`;
    const { stdout, stderr } = spawnSync('/bin/sh', ['-c', limited, process.execPath, SHORT, directory], {
      encoding: 'utf8',
    });
    assert.deepEqual(JSON.parse(stdout || 'null'), { outcome: 'unavailable', fatals: 1 }, stderr);
    assert.ok(statSync(segmentPath(directory, idOf(segment))).size <= 65_536, 'the limit did not act');
  }
});

test('a message that is given up while a write of it comes out short ends itself, not the process', async (context) => {
  const host = openHost(context);
  const large = await LargeMessage.create(host, idOf(1));
  // The kernel takes half of the chunk, and before the rest is on its way the sender has left.
  const probe = await fs.promises.open(host.directory, 'r');
  const prototype = Object.getPrototypeOf(probe) as {
    write: (...rest: unknown[]) => Promise<{ bytesWritten: number }>;
  };
  await probe.close();
  const { write } = prototype;
  context.after(() => {
    prototype.write = write;
  });
  prototype.write = async function (this: unknown, bytes, offset, length, position) {
    prototype.write = write;
    const taken = await write.call(this, bytes, offset, Math.floor(Number(length) / 2), position);
    large.abandon();
    return taken;
  };
  await assert.rejects(large.write(randomBytes(1000)), { kind: 'unavailable' });
  assert.deepEqual(host.fatals, []);
});
