// Against a naive judge that keeps whole buckets in a Map; and threads that share the memory.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { type Bucket, type BucketKind, type Drawn, TokenBuckets } from './token-buckets.ts';

/** A bucket by its name, as the judge knows it. */
interface Draw {
  readonly kind: BucketKind;
  readonly key: string;
}

const of = (all: TokenBuckets, { kind, key }: Draw): Bucket => all.bucket(kind, key);

const CAPACITY = 1000;

function buckets(capacity = CAPACITY): TokenBuckets {
  const buffer = new SharedArrayBuffer(TokenBuckets.bytes(capacity));
  return new TokenBuckets({ buffer, offset: 0, capacity, thread: 0, isNew: true });
}

const SMALL: BucketKind = { name: 'small', size: 3, perMinute: 1 };
const LARGE: BucketKind = { name: 'large', size: 6, perMinute: 5 };

/** Tokens in whole parts of a minute's millisecond, so that nothing is rounded. */
class Naive {
  readonly #all = new Map<string, { parts: number; at: number; held: number }>();

  #now({ kind, key }: Draw, now: number): { parts: number; at: number; held: number } {
    const name = `${kind.name} ${key}`;
    const bucket = this.#all.get(name) ?? { parts: kind.size * 60_000, at: now, held: 0 };
    bucket.parts = Math.min(kind.size * 60_000, bucket.parts + (now - bucket.at) * kind.perMinute);
    bucket.at = now;
    this.#all.set(name, bucket);
    return bucket;
  }

  draw(draws: readonly Draw[], now: number): Drawn {
    const all = draws.map((draw) => this.#now(draw, now));
    if (all.some(({ parts, held }) => parts + held * 60_000 < 60_000)) return 'empty';
    if (all.some(({ parts }) => parts < 60_000)) return 'held';
    for (const bucket of all) {
      bucket.parts -= 60_000;
      bucket.held++;
    }
    return 'drawn';
  }

  settle(draws: readonly Draw[], now: number, givesBack: boolean): void {
    for (const draw of draws) {
      const bucket = this.#now(draw, now);
      bucket.held--;
      if (givesBack) bucket.parts = Math.min(draw.kind.size * 60_000, bucket.parts + 60_000);
    }
  }
}

test('draws and checks that settle, at any times, are what a naive judge says', () => {
  const draw = fc.record({ kind: fc.constantFrom(SMALL, LARGE), key: fc.constantFrom('a', 'b') });
  const draws = fc.uniqueArray(draw, { minLength: 1, maxLength: 3, selector: ({ kind, key }) => kind.name + key });
  const step = fc.record({
    waitMs: fc.constantFrom(0, 0, 0, 1, 999, 12_000, 30_000),
    draws,
    settles: fc.option(fc.record({ which: fc.nat(), givesBack: fc.boolean() })),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const real = buckets();
      const naive = new Naive();
      const underWay: { readonly draws: readonly Draw[]; readonly until: number }[] = [];
      let now = 5;
      for (const { waitMs, draws: wanted, settles } of steps) {
        // A check that takes a minute is given up: the judge does not know of that.
        const next = Math.min(now + waitMs, ...underWay.map(({ until }) => until));
        now = next;
        if (settles !== null && underWay.length > 0) {
          const [{ draws: over }] = underWay.splice(settles.which % underWay.length, 1) as [(typeof underWay)[number]];
          real.settle(
            over.map((draw) => of(real, draw)),
            now,
            settles.givesBack,
          );
          naive.settle(over, now, settles.givesBack);
        }
        const drawn = real.draw(
          wanted.map((draw) => of(real, draw)),
          now,
        );
        assert.equal(drawn, naive.draw(wanted, now));
        if (drawn === 'drawn') underWay.push({ draws: wanted, until: now + 59_999 });
      }
    }),
  );
});

test('a check whose thread has died is given up after a minute', () => {
  const all = buckets();
  const one = all.bucket({ name: 'one', size: 1, perMinute: 0 }, 'a');
  assert.equal(all.draw([one], 0), 'drawn');
  assert.equal(all.draw([one], 59_999), 'held');
  assert.equal(all.draw([one], 60_000), 'empty');
});

test('when all places are taken the one that is longest unused goes', () => {
  const all = buckets(8);
  const once = (key: string): Bucket => all.bucket({ name: 'once', size: 1, perMinute: 0 }, key);
  for (let i = 0; i < 8; i++) assert.equal(all.take(once(`${i}`), 0), true);
  // Asking for it is use.
  assert.equal(all.take(once('0'), 0), false);
  for (let i = 8; i < 15; i++) assert.equal(all.take(once(`${i}`), 0), true);
  assert.equal(all.take(once('0'), 0), false);
  assert.equal(all.take(once('1'), 0), true, 'it had gone, and a bucket that is not there is full');
});

test('the memory holds as many keys as it has places, whatever is dropped in between', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 12 }), { maxLength: 200 }), (keys) => {
      const all = buckets(8);
      const naive: number[] = [];
      for (const key of keys) {
        const isNew = !naive.includes(key);
        assert.equal(all.isFirst('key', String(key), 0, 1000), isNew);
        naive.splice(0, naive.length, ...[...naive.filter((other) => other !== key), key].slice(-8));
      }
    }),
  );
});

test('what is noted once counts again when its time is over', () => {
  const all = buckets();
  const seen = [0, 999, 1000, 1001].map((now) => all.isFirst('secret', 'a', now, 1000));
  assert.deepEqual(seen, [true, false, true, false]);
});

test('failures are counted while each comes soon enough behind the one before', () => {
  const all = buckets();
  const draw = all.bucket(SMALL, 'a');
  const counts = [0, 999, 1500, 2499, 3499].map((now) => all.fail(draw, now, 1000));
  assert.deepEqual(counts, [1, 2, 3, 4, 1]);
});

const IN_A_THREAD = `
  const { parentPort, threadId, workerData } = require('node:worker_threads');
  import(workerData.module).then(({ TokenBuckets }) => {
    const all = new TokenBuckets({ ...workerData, offset: 0, thread: threadId, isNew: false });
    let taken = 0;
    for (let i = 0; i < workerData.tries; i++) {
      if (all.take(all.bucket(workerData.kind, 'shared'), 0)) taken++;
      all.isFirst('own', String(i), 0, 1000);
    }
    parentPort.postMessage(taken);
  });`;

test('threads that draw at the same time draw what there is, together', async () => {
  const buffer = new SharedArrayBuffer(TokenBuckets.bytes(CAPACITY));
  const all = new TokenBuckets({ buffer, offset: 0, capacity: CAPACITY, thread: 0, isNew: true });
  const kind: BucketKind = { name: 'shared', size: 10_000, perMinute: 0 };
  const module = new URL('./token-buckets.ts', import.meta.url).href;
  const workerData = { buffer, capacity: CAPACITY, kind, module, tries: 6000 };
  const taken = await Promise.all(
    [1, 2, 3].map(
      () =>
        new Promise<number>((resolve, reject) => {
          const worker = new Worker(IN_A_THREAD, { eval: true, workerData });
          worker.once('message', resolve).once('error', reject);
        }),
    ),
  );
  assert.equal(taken[0]! + taken[1]! + taken[2]!, 10_000);
  assert.equal(all.take(all.bucket(kind, 'shared'), 0), false);
});

test('a draw that is held goes on when a check of another user of the memory settles', async () => {
  const buffer = new SharedArrayBuffer(TokenBuckets.bytes(CAPACITY));
  const here = new TokenBuckets({ buffer, offset: 0, capacity: CAPACITY, thread: 0, isNew: true });
  const there = new TokenBuckets({ buffer, offset: 0, capacity: CAPACITY, thread: 1, isNew: false });
  const draw = here.bucket({ name: 'one', size: 1, perMinute: 0 }, 'a');
  assert.equal(here.draw([draw], 0), 'drawn');
  const seen = there.settled();
  assert.equal(there.draw([draw], 0), 'held');
  const settled = there.nextSettled(seen, 60_000);
  here.settle([draw], 0, true);
  await settled;
  assert.equal(there.draw([draw], 0), 'drawn');
});

test('a lock that a thread has taken to its grave is taken over, and all buckets are forgotten', () => {
  const buffer = new SharedArrayBuffer(TokenBuckets.bytes(CAPACITY));
  const all = new TokenBuckets({ buffer, offset: 0, capacity: CAPACITY, thread: 0, isNew: true });
  const one = all.bucket({ name: 'one', size: 1, perMinute: 0 }, 'a');
  assert.equal(all.take(one, 0), true);
  assert.equal(all.take(one, 0), false);
  // The first number is the lock: thread 7 holds it.
  Atomics.store(new Int32Array(buffer), 0, 8);
  assert.equal(all.take(one, 0), true, 'nobody is refused for it, and nothing is counted');
  all.forgetThread(6);
  assert.equal(Atomics.load(new Int32Array(buffer), 0), 8);
  all.forgetThread(7);
  assert.equal(all.take(one, 0), true);
  assert.equal(all.take(one, 0), false);
});
