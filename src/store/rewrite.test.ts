// Bytes that move: under deliveries, copies, expunges and readers that stream, with ends of the thread between any two steps.
//
// In      random commands on a real store in a temporary directory; SPACE_RUNS tries so many
// Out     every message is what was delivered; of each counted segment bytes = messages + dead; no closed segment that can be
//         rewritten stays half dead; files without a row are gone; copied bytes are within their bound

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import { type AccountId, idOf, type MailboxId, type SegmentId } from '../base/ids.ts';
import { silentLog } from '../base/log.ts';
import type { Operation, Writer } from '../database/operation.ts';
import { INBOX } from './accounts.ts';
import { closeAllSegments, closeSegment, collect, NO_SEGMENT, openSegment } from './collect.ts';
import { copy } from './copy.ts';
import { expunge } from './expunge.ts';
import { FRAME_BYTES, FRAMED } from './frames.ts';
import { ownMailbox } from './mailbox-key.ts';
import { createMailbox, findMailbox } from './mailboxes.ts';
import { messagesBetween } from './messages.ts';
import { Rewriting } from './rewrite.ts';
import { type Blob, type SegmentHost, SegmentWriter, segmentPath } from './segment.ts';
import { settleSegmentFiles } from './segment-files.ts';
import { moveMessages } from './space.ts';
import { TestStore, uidRange } from './testing.ts';

const REST_MS = 10_000;
const PIECE_BYTES = 64 * 1024;

class Killed extends Error {}

interface Message {
  readonly owner: AccountId;
  readonly mailbox: MailboxId;
  readonly uid: number;
  readonly text: string;
}

interface Stream {
  readonly message: Message;
  readonly blob: Blob;
  at: number;
}

interface Options {
  readonly compressMs?: number;
  readonly bytesPerSecond?: number;
}

class World {
  readonly store = new TestStore();
  readonly accounts: AccountId[] = [];
  messages: Message[] = [];
  readonly streams: Stream[] = [];
  /** Steps until the next end of the thread; Infinity: none. */
  untilKill = Number.POSITIVE_INFINITY;
  kills = 0;
  copiedBytes = 0;
  freedBytes = 0;
  /** Copied in slices that did not come to their end: these are copied again. */
  vainBytes = 0;
  now = 1000;
  freeShare = 0.5;
  commitMicros = 0;
  mayMove = true;
  rewriting!: Rewriting;
  /** The rewriting thread's. */
  segments!: SegmentWriter;
  readonly #options: Options;
  /** What was killed writes nothing more. */
  #run = { isOver: false };
  readonly #appended: string[] = [];
  #made = 0;

  constructor(options: Options) {
    this.#options = options;
    this.store.database.onNotification((notification) => {
      if (notification.kind === 'segment-end') this.store.intakes.segments.end(notification.segment);
      // At once: a server leaves readers ten seconds.
      if (notification.kind === 'segment') this.#unlink(notification.segment);
    });
  }

  #unlink(segment: SegmentId): void {
    const path = segmentPath(this.store.segmentsPath, segment);
    // A segment whose file could not be opened has none.
    const file = statSync(path, { throwIfNoEntry: false });
    if (file === undefined) return;
    this.freedBytes += file.size;
    // Killed between the commit and this, the next start takes it away.
    if (this.untilKill <= 1) return;
    this.store.blobs.forget(segment);
    unlinkSync(path);
  }

  async begin(): Promise<this> {
    for (let i = 0; i < 3; i++) {
      const owner = await this.store.account();
      await this.writer.execute(createMailbox, { owner, name: 'Folder' });
      this.accounts.push(owner);
    }
    this.restart();
    return this;
  }

  get reader() {
    return this.store.database.reader;
  }

  get writer(): Writer {
    return this.store.database.writer;
  }

  /** A successor of the thread. */
  restart(): void {
    const run = { isOver: false };
    this.#run = run;
    const step = (): void => {
      if (run.isOver || this.untilKill <= 0) throw new Killed();
      if (--this.untilKill === 0) throw new Killed();
    };
    const writer: Writer = {
      execute: async <A, R>(operation: Operation<A, R>, args: A, bytes?: number): Promise<R> => {
        step();
        const result = await this.writer.execute(operation, args, bytes);
        step();
        return result;
      },
    };
    const host: SegmentHost = {
      directory: this.store.segmentsPath,
      nextId: () => this.store.nextSegment(),
      isSyncSlow: () => true,
      written: () => {},
      opened: (segment) =>
        this.store.isFull
          ? Promise.reject(new Failure('full', 'no space'))
          : writer.execute(openSegment, {
              segment,
              thread: 2,
              at: 1,
              isPacked: this.#options.compressMs !== undefined,
            }),
      closed: (segment, bytes) => writer.execute(closeSegment, { segment, bytes, at: 2 }),
      fatal: (error) => this.store.fatal.push(error),
    };
    const segments = new SegmentWriter(host);
    const append = segments.append.bind(segments);
    segments.append = async (...args) => {
      step();
      const pending = await append(...args);
      step();
      return pending;
    };
    this.segments = segments;
    this.rewriting = new Rewriting({
      ...{
        reader: this.reader,
        writer,
        host,
        segments,
        clock: { ...systemClock, now: () => this.now },
        log: silentLog,
      },
      directory: this.store.segmentsPath,
      blobs: this.store.blobs,
      bytesPerSecond: this.#options.bytesPerSecond ?? Number.MAX_SAFE_INTEGER,
      compressMs: this.#options.compressMs,
      commitMicros: () => this.commitMicros,
      freeShare: async () => this.freeShare,
      mayMove: () => this.mayMove,
      copied: (bytes) => {
        this.copiedBytes += bytes;
      },
    });
  }

  /** What comes after an end of the process: open segments are closed, files without a row go. */
  async recover(): Promise<void> {
    this.kills++;
    this.#run.isOver = true;
    await this.segments.close();
    this.untilKill = Number.POSITIVE_INFINITY;
    await this.end();
    await this.writer.execute(closeAllSegments, { at: 3 });
    await settleSegmentFiles(this.reader, this.store.segmentsPath);
    this.restart();
  }

  /** Closes what the delivering thread has open. */
  async end(): Promise<void> {
    for (;;) {
      const open = this.reader.arrays('SELECT id FROM segment WHERE closed IS NULL AND thread = 1');
      if (open.length === 0) return;
      for (const [id] of open) this.store.intakes.segments.end(idOf(id));
      // A large message's file is closed behind its outcome.
      await new Promise((turn) => setImmediate(turn));
    }
  }

  /** One slice; undefined when the process was killed in it. */
  async slice(beside: () => Promise<void> = async () => {}): Promise<number | undefined> {
    const before = this.copiedBytes;
    const [ms] = await Promise.all([
      this.rewriting.run().catch((error: unknown) => {
        if (!(error instanceof Killed) && this.untilKill > 0) throw error;
        return undefined;
      }),
      beside(),
    ]);
    if (ms === undefined) {
      this.vainBytes += this.copiedBytes - before;
      await this.recover();
    }
    return ms;
  }

  /** Until there is nothing to do. */
  async rest(): Promise<void> {
    for (let slices = 0; slices < 10_000; slices++) if ((await this.slice()) === REST_MS) return;
    assert.fail('there is always more to do');
  }

  #text(size: number, isRandom: boolean): string {
    const words = `Subject: ${++this.#made}\r\n\r\n`;
    const random = (): string => Math.random().toString(36).slice(2);
    let text = words;
    while (text.length < size)
      text += isRandom ? `${random()}${random()}${random()}\r\n` : `line ${text.length % 97} of mail\r\n`;
    return text;
  }

  #add(owner: AccountId, mailbox: MailboxId, uid: number, text: string): void {
    this.messages.push({ owner, mailbox, uid, text });
  }

  async deliver(to: number, size: number, isRandom: boolean): Promise<void> {
    const text = this.#text(size, isRandom);
    const owners = this.accounts.filter((_, i) => (to & (1 << i)) !== 0);
    const uids = owners.map((owner) => findMailbox(this.reader, owner, 'INBOX')!.uidNext);
    await this.store.deliver(owners, text);
    for (const [i, owner] of owners.entries())
      this.#add(owner, INBOX, uids[i]!, `Return-Path: <x@x.example>\r\n${text}`);
  }

  async append(at: number, size: number): Promise<void> {
    const owner = this.accounts[at % 3]!;
    // Now and then what somebody has brought before.
    const text = (at % 4 === 0 ? this.#appended[at % this.#appended.length] : undefined) ?? this.#text(size, false);
    this.#appended.push(text);
    const uid = await this.store.append(owner, 'INBOX', text);
    this.#add(owner, INBOX, uid, text);
  }

  async copy(at: number): Promise<void> {
    const inboxes = this.messages.filter(({ mailbox }) => mailbox === INBOX);
    const message = inboxes[at % inboxes.length];
    if (message === undefined) return;
    const { owner, uid, text } = message;
    const { firstUid, sources } = await this.writer.execute(copy, {
      ...ownMailbox(owner, INBOX),
      ranges: [uidRange(uid)],
      target: 'Folder',
    });
    if (sources.length === 1) this.#add(owner, findMailbox(this.reader, owner, 'Folder')!.id, firstUid, text);
  }

  async expunge(at: number): Promise<void> {
    const message = this.messages[at % this.messages.length];
    if (message === undefined) return;
    const { owner, mailbox, uid } = message;
    this.messages = this.messages.filter((one) => one !== message);
    await this.writer.execute(expunge, { owner, mailbox, ranges: [uidRange(uid)], deletedOnly: false });
  }

  blobOf({ owner, mailbox, uid }: Message): Blob {
    return messagesBetween(this.reader, ownMailbox(owner, mailbox), uidRange(uid), 1)[0]!.blob;
  }

  stream(at: number): void {
    const message = this.messages[at % this.messages.length];
    if (message !== undefined) this.streams.push({ message, blob: this.blobOf(message), at: 0 });
  }

  async readOn(at: number): Promise<void> {
    const stream = this.streams[at % this.streams.length];
    if (stream === undefined) return;
    const { message, blob } = stream;
    try {
      const bytes = await this.store.blobs.read(blob, stream.at, PIECE_BYTES);
      assert.equal(bytes.toString('latin1'), message.text.slice(stream.at, stream.at + PIECE_BYTES));
      stream.at += bytes.length;
    } catch (error) {
      const isGone = error instanceof Failure && error.kind === 'not-found' && !this.messages.includes(message);
      if (!isGone) throw error;
    }
  }

  /** Every message is what it was, and so are the sums. */
  async check(): Promise<void> {
    for (const message of this.messages) {
      const bytes = await this.store.blobs.read(this.blobOf(message));
      assert.ok(bytes.toString('latin1') === message.text, `message ${message.uid} of ${message.owner}`);
    }
    assert.deepEqual(await this.store.problems(), []);
    const sums = this.reader.arrays(
      `SELECT bytes, dead, (SELECT coalesce(sum(32 + coalesce(stored, length)), 0) FROM message WHERE segment = s.id)
       FROM segment s WHERE counted = 1`,
    );
    for (const [bytes, dead, live] of sums) assert.equal(Number(bytes), Number(dead) + Number(live));
  }

  /** Two rounds behind whatever happened: nothing that no row needs is left. */
  async checkSpace(): Promise<void> {
    await this.end();
    for (let round = 0; round < 2; round++) {
      await this.rest();
      await this.writer.execute(collect, { after: NO_SEGMENT });
    }
    await this.check();
    const closed = this.reader.all('SELECT bytes, dead FROM segment WHERE counted = 1');
    for (const { bytes, dead } of closed) assert.ok(Number(dead) * 2 < Number(bytes), `${dead} of ${bytes} are dead`);
    const known = this.reader.arrays('SELECT id FROM segment').map(([id]) => segmentPath('', idOf<SegmentId>(id)));
    // The newest file of all, whose row went and which was not unlinked yet, is kept aside by a start: see segment-files.ts.
    const files = readdirSync(this.store.segmentsPath).filter((name) => !name.endsWith('.aside'));
    assert.deepEqual(files.sort(), known.map((path) => path.replace('/', '')).sort());
    // Freed files are counted whole: what was copied out of each is its smaller half.
    if (this.#options.compressMs === undefined)
      assert.ok(
        (this.copiedBytes - this.vainBytes) * 2 <= this.freedBytes,
        `${this.copiedBytes} bytes copied, ${this.vainBytes} in vain, ${this.freedBytes} freed`,
      );
  }

  async close(): Promise<void> {
    await this.rewriting.end();
    await this.store.close();
  }
}

async function open(context: TestContext, options: Options = {}): Promise<World> {
  const world = await new World(options).begin();
  context.after(() => world.close());
  return world;
}

type Step =
  | { readonly kind: 'deliver'; readonly to: number; readonly size: number; readonly isRandom: boolean }
  | { readonly kind: 'append'; readonly at: number; readonly size: number }
  | { readonly kind: 'copy' | 'expunge' | 'stream' | 'read'; readonly at: number }
  | { readonly kind: 'kill'; readonly steps: number }
  | { readonly kind: 'end' | 'rest' | 'full' };

const size = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 20, max: 30_000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 200_000, max: 900_000 }) },
  { weight: 1, arbitrary: fc.constant(2_300_000) },
);
const at = fc.nat(1000);
const steps: fc.Arbitrary<readonly (Step & { readonly isBesideSlice: boolean })[]> = fc.array(
  fc
    .tuple(
      fc.oneof(
        {
          weight: 5,
          arbitrary: fc.record({
            kind: fc.constant('deliver' as const),
            to: fc.integer({ min: 1, max: 7 }),
            size,
            isRandom: fc.boolean(),
          }),
        },
        { weight: 2, arbitrary: fc.record({ kind: fc.constant('append' as const), at, size }) },
        { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('copy' as const, 'stream' as const), at }) },
        { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('expunge' as const, 'read' as const), at }) },
        {
          weight: 2,
          arbitrary: fc.record({ kind: fc.constant('kill' as const), steps: fc.integer({ min: 1, max: 12 }) }),
        },
        {
          weight: 4,
          arbitrary: fc.record({ kind: fc.constantFrom('end' as const, 'rest' as const, 'full' as const) }),
        },
      ),
      fc.boolean(),
    )
    .map(([step, isBesideSlice]) => ({ ...step, isBesideSlice })),
  { minLength: 20, maxLength: 120 },
);

async function take(world: World, step: Step): Promise<void> {
  switch (step.kind) {
    case 'deliver':
      return world.deliver(step.to, step.size, step.isRandom);
    case 'append':
      return world.append(step.at, step.size);
    case 'copy':
      return world.copy(step.at);
    case 'expunge':
      return world.expunge(step.at);
    case 'stream':
      return world.stream(step.at);
    case 'read':
      return world.readOn(step.at);
    case 'kill':
      world.untilKill = step.steps;
      return undefined;
    case 'end':
      return world.end();
    case 'rest':
      return world.rest();
    case 'full': {
      world.store.isFull = true;
      await world.slice().catch(() => {});
      world.store.isFull = false;
      return undefined;
    }
  }
}

for (const compressMs of [undefined, 0])
  test(`whatever comes, goes, is read and ends meanwhile, mail is what it was; ${compressMs === 0 ? 'compressed' : 'plain'}`, async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (all) => {
        const world = await new World(compressMs === undefined ? {} : { compressMs }).begin();
        try {
          for (const step of all)
            if (step.isBesideSlice && step.kind !== 'rest' && step.kind !== 'full' && step.kind !== 'end')
              await world.slice(() => take(world, step));
            else await take(world, step);
          await world.recover();
          await world.checkSpace();
        } finally {
          await world.close();
        }
      }),
      { numRuns: Number(process.env['SPACE_RUNS'] ?? 25) },
    );
  });

test('killed between any two steps of a rewrite, all is there, and the next one ends it', async () => {
  for (let steps = 1; ; steps++) {
    const world = await new World({}).begin();
    try {
      for (let i = 0; i < 30; i++) await world.deliver(1, 5000, true);
      await world.deliver(1, 2_300_000, true);
      for (let i = 0; i < 22; i++) await world.expunge(i);
      await world.end();
      world.untilKill = steps;
      await world.rest();
      await world.check();
      if (world.kills === 0) {
        assert.ok(steps > 8, `${steps} steps`);
        return;
      }
      await world.checkSpace();
    } finally {
      await world.close();
    }
  }
});

test('a row that has another place by then stays where it is, and counts nothing', async (context) => {
  const world = await open(context);
  await world.deliver(1, 500, true);
  await world.end();
  const blob = world.blobOf(world.messages[0]!);
  const { message, segment, offset, length } = blob;
  const there = { offset, stored: length };
  const to = { segment, offset: offset + 7, stored: null };
  const deadOf = (): unknown => world.reader.get('SELECT dead FROM segment WHERE id = ?', segment)?.['dead'];
  for (const args of [
    { from: segment, moved: [{ message, from: { ...there, offset: offset + 1 }, to, codec: 0 }] },
    { from: idOf<SegmentId>(5), moved: [{ message, from: there, to, codec: 0 }] },
    // Where it would go there is nothing any more.
    { from: segment, moved: [{ message, from: there, to: { ...to, segment: idOf<SegmentId>(7) }, codec: 0 }] },
  ])
    assert.equal(await world.writer.execute(moveMessages, args), 0);
  assert.equal(deadOf(), 0);
  assert.deepEqual(world.blobOf(world.messages[0]!), blob);
});

test('a message that is expunged while it moves leaves dead bytes at its new place, which go too', async (context) => {
  const world = await open(context);
  for (let i = 0; i < 20; i++) await world.deliver(1, 3000, true);
  for (let i = 0; i < 11; i++) await world.expunge(0);
  await world.end();
  const { execute } = world.writer;
  world.writer.execute = async <A, R>(operation: Operation<A, R>, args: A, bytes?: number): Promise<R> => {
    if (operation.name === moveMessages.name)
      for (let i = 0; i < 6; i++) {
        const { owner, mailbox, uid } = world.messages.shift()!;
        const victim = { owner, mailbox, ranges: [uidRange(uid)], deletedOnly: false };
        await execute.call(world.store.database.writer, expunge as never, victim as never);
      }
    return execute.call(world.store.database.writer, operation as never, args as never, bytes) as Promise<R>;
  };
  await world.rest();
  world.writer.execute = execute;
  assert.equal(world.messages.length, 3);
  for (const [id] of world.reader.arrays('SELECT id FROM segment WHERE closed IS NULL'))
    world.segments.end(idOf(Number(id)));
  await world.checkSpace();
  assert.equal(world.reader.get('SELECT sum(bytes) AS n FROM segment')?.['n'], null);
});

test('a large message is compressed frame by frame, and a part of it is read from its frames', async (context) => {
  const world = await open(context, { compressMs: 0 });
  await world.append(0, 5 * FRAME_BYTES + 1000);
  await world.append(1, 15);
  await world.end();
  await world.rest();
  const [large, small] = world.messages as [Message, Message];
  const blob = world.blobOf(large);
  assert.equal(blob.codec, FRAMED);
  assert.ok(blob.stored! < blob.length / 4);
  for (const [start, length] of [
    [0, 10],
    [FRAME_BYTES - 5, 10],
    [3 * FRAME_BYTES, FRAME_BYTES],
    [2 * FRAME_BYTES + 7, 2 * FRAME_BYTES],
    [blob.length - 3, 100],
    [0, blob.length],
  ] as const) {
    const bytes = await world.store.blobs.read(blob, start, length);
    assert.ok(bytes.toString('latin1') === large.text.slice(start, start + length), `${start} ${length}`);
  }
  // Nothing is gained by it.
  assert.equal(world.blobOf(small).codec, 0);
  await world.checkSpace();
});

test('a damaged record is refused, stays where it is, and is tried once; its neighbours move', async (context) => {
  for (const compressMs of [undefined, 0]) {
    const world = await open(context, compressMs === undefined ? {} : { compressMs });
    for (let i = 0; i < 9; i++) await world.deliver(1, 2000, false);
    const damaged = world.blobOf(world.messages[4]!);
    const file = openSync(segmentPath(world.store.segmentsPath, damaged.segment), 'r+');
    writeSync(file, 'X', damaged.offset + 1000);
    closeSync(file);
    for (let i = 0; i < 5; i++) await world.expunge(i === 4 ? 4 : 0);
    await world.end();
    await world.rest();
    const rest = world.messages.map((message) => world.blobOf(message));
    assert.deepEqual(
      rest.filter(({ segment }) => segment === damaged.segment),
      [damaged],
    );
    await assert.rejects(world.store.blobs.read(damaged), { kind: 'damaged' });
    const copied = world.copiedBytes;
    assert.equal(await world.slice(), REST_MS);
    assert.equal(world.copiedBytes, copied);
    assert.match((await world.store.problems()).join('\n'), /^record checksum: message \w+: [^\n]*$/);
  }
});

test('a damaged frame is refused, and the others are read', async (context) => {
  const world = await open(context, { compressMs: 0 });
  await world.append(0, 4 * FRAME_BYTES);
  await world.end();
  await world.rest();
  const blob = world.blobOf(world.messages[0]!);
  const file = openSync(segmentPath(world.store.segmentsPath, blob.segment), 'r+');
  writeSync(file, 'damaged', blob.offset + blob.stored! - 40);
  closeSync(file);
  assert.equal((await world.store.blobs.read(blob, 0, 100)).toString('latin1'), world.messages[0]!.text.slice(0, 100));
  await assert.rejects(world.store.blobs.read(blob), { kind: 'damaged' });
  assert.match((await world.store.problems()).join('\n'), /^record checksum: message \w+: [^\n]*$/);
});

test('a segment of which half is dead is rewritten, one of which less is, is not', async (context) => {
  const world = await open(context);
  for (let i = 0; i < 20; i++) await world.deliver(1, 2000, true);
  for (let i = 0; i < 9; i++) await world.expunge(0);
  await world.end();
  await world.rest();
  assert.equal(world.copiedBytes, 0);
  for (let i = 0; i < 2; i++) await world.expunge(0);
  await world.rest();
  assert.ok(world.copiedBytes > 9 * 2000 && world.freedBytes > 20 * 2000);
  await world.checkSpace();
});

test('a shared segment is closed when 4 MiB and half of it are dead, though its thread has it open', async (context) => {
  const world = await open(context);
  for (let i = 0; i < 12; i++) await world.deliver(1, 800_000, true);
  for (let i = 0; i < 4; i++) await world.expunge(0);
  await world.rest();
  const open_ = (): number => world.reader.arrays('SELECT id FROM segment WHERE closed IS NULL AND thread = 1').length;
  assert.equal(open_(), 1);
  for (let i = 0; i < 3; i++) await world.expunge(0);
  await world.rest();
  assert.equal(open_(), 0);
  await world.check();
  await world.deliver(1, 500, false);
  assert.equal(open_(), 1);
});

test('what was torn, or refused, is counted once the segment is closed, and goes', async (context) => {
  const world = await open(context);
  for (let i = 0; i < 3; i++) await world.deliver(1, 2000, true);
  const refused = world.store.intake();
  await refused.write(Buffer.alloc(20_000, 'x'));
  (await refused.finish(3)).pending.settle();
  await world.end();
  await world.rest();
  assert.ok(world.freedBytes > 26_000);
  await world.checkSpace();
});

test('a quarter of dead bytes is enough while less than a tenth of the disk is free', async (context) => {
  const world = await open(context);
  for (let i = 0; i < 20; i++) await world.deliver(1, 2000, true);
  for (let i = 0; i < 6; i++) await world.expunge(0);
  await world.end();
  world.freeShare = 0.1;
  await world.rest();
  assert.equal(world.copiedBytes, 0);
  world.freeShare = 0.09;
  await world.rest();
  // Three bytes for one that is freed.
  assert.ok(world.copiedBytes > 0 && world.copiedBytes <= 3 * (world.freedBytes - world.copiedBytes));
  await world.check();
});

test('of two segments the one goes first of which most is dead, however large the other is', async (context) => {
  const world = await open(context);
  for (let i = 0; i < 20; i++) await world.deliver(1, 5000, true);
  for (let i = 0; i < 11; i++) await world.expunge(0);
  await world.end();
  for (let i = 0; i < 10; i++) await world.deliver(1, 1000, true);
  for (let i = 0; i < 9; i++) await world.expunge(world.messages.length - 1);
  await world.end();
  const last = world.messages.at(-1)!;
  const [large, small] = [world.blobOf(world.messages[0]!).segment, world.blobOf(last).segment];
  await world.slice();
  assert.deepEqual(
    [world.blobOf(world.messages[0]!).segment === large, world.blobOf(last).segment === small],
    [true, false],
  );
  await world.checkSpace();
});

test('nothing moves while a copy of an older format knows the old places; what is dead is counted all the same', async (context) => {
  const world = await open(context);
  for (let i = 0; i < 4; i++) await world.deliver(1, 2000, true);
  for (let i = 0; i < 3; i++) await world.expunge(0);
  await world.end();
  world.mayMove = false;
  await world.rest();
  assert.deepEqual([world.copiedBytes, world.freedBytes], [0, 0]);
  assert.equal(world.reader.get('SELECT count(*) AS n FROM segment WHERE counted = 1')?.['n'], 1);
  world.mayMove = true;
  await world.checkSpace();
});

test('a segment is compressed when it has been closed for long enough, once; one that would not shrink is left', async (context) => {
  const world = await open(context, { compressMs: 10_000 });
  for (let i = 0; i < 20; i++) await world.deliver(1, 10_000, false);
  await world.end();
  await world.store.deliver([world.accounts[1]!], `Subject: noise\r\n\r\n${randomBytes(80_000).toString('latin1')}`);
  await world.end();
  await world.rest();
  assert.equal(world.copiedBytes, 0);
  world.now = 10_002;
  await world.rest();
  const { copiedBytes } = world;
  assert.ok(copiedBytes > 0 && copiedBytes < 20 * 5000, `${copiedBytes}`);
  assert.ok(world.messages.every((message) => world.blobOf(message).codec === FRAMED));
  const all = world.reader.arrays('SELECT codec, count(*) FROM message GROUP BY codec ORDER BY codec');
  assert.deepEqual(all, [
    [0, 1],
    [1, 20],
  ]);
  for (const [id] of world.reader.arrays('SELECT id FROM segment WHERE closed IS NULL')) world.segments.end(idOf(id));
  world.now = 1_000_000;
  await world.rest();
  assert.equal(world.copiedBytes, copiedBytes);
  await world.check();
});

test('a second is given for the bytes of a second, two of them while a commit is slow', async (context) => {
  for (const [commitMicros, seconds] of [
    [20_000, 100],
    [20_001, 200],
  ] as const) {
    const world = await open(context, { bytesPerSecond: 120 });
    world.commitMicros = commitMicros;
    await world.deliver(1, 11_900, true);
    await world.deliver(2, 12_100, true);
    await world.expunge(1);
    await world.end();
    const began = performance.now();
    const ms = (await world.slice())!;
    const tookMs = performance.now() - began;
    const expected = (world.copiedBytes / 12_000) * seconds * 1000;
    assert.ok(ms <= expected && ms >= expected - tookMs - 1, `${ms} of ${expected}, ${tookMs} taken`);
  }
});

test('a shared segment closes a day after it was opened', async (context) => {
  const world = await open(context);
  await world.deliver(1, 500, true);
  const openSegments = (): number => world.reader.arrays('SELECT id FROM segment WHERE closed IS NULL').length;
  world.now = 24 * 3600 * 1000;
  await world.rest();
  assert.equal(openSegments(), 1);
  world.now++;
  await world.rest();
  assert.equal(openSegments(), 0);
  await world.check();
});
