// Token buckets that all threads of the process see, by key: what is counted in one thread counts in all.
//
// In      a key as text, a kind (how many tokens it holds, how many come back a minute), the time of the process's clock
// Out     drawn; held: checks under way have the last tokens, ask again when one has settled; empty
// States  of a draw: under way -> settled, its token given back or spent
// Limits  a fixed number of buckets in shared memory, the one that is longest unused goes first; a check that has not
//         settled after HELD_MS is given up, because its thread has died
// Never   keeps a key: 64 bits of a hash under the process's own secret, so that nobody chooses which keys meet
//
// A bucket that is not there is full. All is done under one lock, held for some microseconds: nothing within it waits.

import { randomFillSync } from 'node:crypto';
import { MINUTE_MS } from './duration.ts';
import { type HashKey, type KeyedHash, keyedHash } from './keyed-hash.ts';

export interface BucketKind {
  readonly name: string;
  readonly size: number;
  /** Tokens that come back a minute. */
  readonly perMinute: number;
}

/** One bucket: its kind, and the hash of kind and key. Made once for all that is done with it. */
export interface Bucket extends KeyedHash {
  readonly kind: BucketKind;
}

export interface BucketMemory {
  readonly buffer: SharedArrayBuffer;
  readonly offset: number;
  readonly capacity: number;
  /** Number of the thread that uses it here. */
  readonly thread: number;
  readonly isNew: boolean;
}

export type Drawn = 'drawn' | 'held' | 'empty';

/** More than any check takes. */
const HELD_MS = 60_000;
/** Sums of fractions fall short of a whole token by less. */
const ROUNDING = 1e-6;

/** The number of the thread that holds the lock, and one more; 0 for none. */
const LOCK = 0;
/** Goes up with each check that has settled. */
const SETTLED = 1;
const USED = 2;
const YOUNGEST = 3;
const OLDEST = 4;
const SECRET = 5;
const SECRET_INTS = 2;
const HEADER_INTS = SECRET + SECRET_INTS + 1;

/** Arrays of 32 bits, then of 64 bits, an element a bucket. */
const INT_ARRAYS = 7;
const FLOAT_ARRAYS = 4;

const SPINS = 200;
/** Who holds the lock so long has most likely died; main will know, and must not wait for itself. */
const LOCK_LOST_MS = 1000;

export class TokenBuckets {
  /** As holder of the lock. */
  readonly #own: number;
  readonly #capacity: number;
  readonly #secret: HashKey;
  /** Places are counted from 1: 0 is none. */
  readonly #ints: Int32Array;
  readonly #heads: Int32Array;
  readonly #low: Int32Array;
  readonly #high: Int32Array;
  /** In the chain of its hash. */
  readonly #next: Int32Array;
  readonly #younger: Int32Array;
  readonly #older: Int32Array;
  /** Checks under way that have a token of it. */
  readonly #held: Int32Array;
  readonly #failures: Int32Array;
  readonly #tokens: Float64Array;
  /** When `tokens` was counted; of a key that is noted once, when. */
  readonly #at: Float64Array;
  readonly #heldUntil: Float64Array;
  readonly #failuresUntil: Float64Array;

  static bytes(capacity: number): number {
    return 4 * (HEADER_INTS + even(chains(capacity)) + INT_ARRAYS * even(capacity)) + 8 * FLOAT_ARRAYS * capacity;
  }

  /** Zeroed memory of `bytes(capacity)` from its offset, a multiple of 8. The first to see it sets `isNew`. */
  constructor({ buffer, offset, capacity, thread, isNew }: BucketMemory) {
    this.#own = thread + 1;
    let at = offset;
    const ints = (length: number): Int32Array => {
      const array = new Int32Array(buffer, at, length);
      at += 4 * even(length);
      return array;
    };
    const floats = (): Float64Array => {
      const array = new Float64Array(buffer, at, capacity);
      at += 8 * capacity;
      return array;
    };
    this.#capacity = capacity;
    this.#ints = ints(HEADER_INTS);
    this.#heads = ints(chains(capacity));
    this.#low = ints(capacity);
    this.#high = ints(capacity);
    this.#next = ints(capacity);
    this.#younger = ints(capacity);
    this.#older = ints(capacity);
    this.#held = ints(capacity);
    this.#failures = ints(capacity);
    this.#tokens = floats();
    this.#at = floats();
    this.#heldUntil = floats();
    this.#failuresUntil = floats();
    const secret = this.#ints.subarray(SECRET, SECRET + SECRET_INTS);
    if (isNew) secret.set(randomFillSync(new Int32Array(SECRET_INTS)));
    this.#secret = { low: secret[0]!, high: secret[1]! };
  }

  bucket(kind: BucketKind, key: string): Bucket {
    return { kind, ...keyedHash(this.#secret, `${kind.name} ${key}`) };
  }

  /** A token of each, or of none. What is drawn is a check under way: `settle` ends it. */
  draw(buckets: readonly Bucket[], now: number): Drawn {
    return this.#locked<Drawn>('drawn', () => {
      const answer = this.#look(buckets, now);
      if (answer !== 'drawn') return answer;
      for (const bucket of buckets) {
        const place = this.#youngest(bucket, now);
        this.#tokens[place]! -= 1;
        this.#held[place] = this.#heldNow(place, now) + 1;
        this.#heldUntil[place] = now + HELD_MS;
      }
      return answer;
    });
  }

  /** A draw that waits for nothing: the token is spent. False for an empty bucket. */
  take(bucket: Bucket, now: number): boolean {
    return this.#locked(true, () => {
      const place = this.#youngest(bucket, now);
      if (this.#tokens[place]! < 1 - ROUNDING) return false;
      this.#tokens[place]! -= 1;
      return true;
    });
  }

  /** Gives back what `take` took. */
  giveBack(bucket: Bucket, now: number): void {
    this.#locked(undefined, () => {
      const place = this.#find(bucket);
      if (place < 0) return;
      this.#refill(place, bucket.kind, now);
      this.#tokens[place] = Math.min(bucket.kind.size, this.#tokens[place]! + 1);
    });
  }

  /** The check that drew these is over. A bucket that has gone meanwhile is full. */
  settle(buckets: readonly Bucket[], now: number, givesBack: boolean): void {
    this.#locked(undefined, () => {
      for (const bucket of buckets) {
        const { kind } = bucket;
        const place = this.#find(bucket);
        if (place < 0) continue;
        this.#refill(place, kind, now);
        this.#held[place] = Math.max(0, this.#heldNow(place, now) - 1);
        if (givesBack) this.#tokens[place] = Math.min(kind.size, this.#tokens[place]! + 1);
      }
    });
    Atomics.add(this.#ints, SETTLED, 1);
    Atomics.notify(this.#ints, SETTLED);
  }

  /** How many checks have settled: read before a draw that may be held. */
  settled(): number {
    return Atomics.load(this.#ints, SETTLED);
  }

  /** Resolves when another check than those of `seen` has settled, or after `ms`. */
  async nextSettled(seen: number, ms: number): Promise<void> {
    await Atomics.waitAsync(this.#ints, SETTLED, seen, ms).value;
  }

  /** Counts one more failure beside the tokens; gives how many there are, each less than `forgetMs` behind the one before. */
  fail(bucket: Bucket, now: number, forgetMs: number): number {
    return this.#locked(1, () => {
      const place = this.#youngest(bucket, now);
      const before = this.#failuresUntil[place]! > now ? this.#failures[place]! : 0;
      this.#failures[place] = before + 1;
      this.#failuresUntil[place] = now + forgetMs;
      return before + 1;
    });
  }

  /** Whether this is the first time in `periodMs`: true once, then false until the period is over. */
  isFirst(name: string, key: string, now: number, periodMs: number): boolean {
    const hashed = keyedHash(this.#secret, `${name} ${key}`);
    return this.#locked(true, () => {
      const found = this.#find(hashed);
      if (found >= 0 && now - this.#at[found]! < periodMs) {
        this.#touch(found);
        return false;
      }
      if (found >= 0) this.#touch(found);
      this.#at[found >= 0 ? found : this.#make(hashed)] = now;
      return true;
    });
  }

  #look(buckets: readonly Bucket[], now: number): Drawn {
    let answer: Drawn = 'drawn';
    for (const bucket of buckets) {
      const place = this.#find(bucket);
      if (place < 0) continue;
      this.#touch(place);
      this.#refill(place, bucket.kind, now);
      const tokens = this.#tokens[place]! + ROUNDING;
      if (tokens >= 1) continue;
      if (tokens + this.#heldNow(place, now) < 1) return 'empty';
      answer = 'held';
    }
    return answer;
  }

  /** The bucket as it is now, the youngest of all. */
  #youngest(bucket: Bucket, now: number): number {
    const found = this.#find(bucket);
    if (found >= 0) {
      this.#touch(found);
      this.#refill(found, bucket.kind, now);
      return found;
    }
    const place = this.#make(bucket);
    this.#tokens[place] = bucket.kind.size;
    this.#at[place] = now;
    return place;
  }

  #refill(place: number, { size, perMinute }: BucketKind, now: number): void {
    // Another thread may have read the clock a little later than this one.
    const elapsed = Math.max(0, now - this.#at[place]!);
    this.#tokens[place] = Math.min(size, this.#tokens[place]! + (elapsed * perMinute) / MINUTE_MS);
    this.#at[place]! += elapsed;
  }

  #heldNow(place: number, now: number): number {
    return this.#heldUntil[place]! > now ? this.#held[place]! : 0;
  }

  /** -1 when there is none. */
  #find({ low, high }: KeyedHash): number {
    let place = this.#heads[this.#chain(low)]! - 1;
    while (place >= 0 && (this.#low[place] !== low || this.#high[place] !== high)) place = this.#next[place]! - 1;
    return place;
  }

  #chain(low: number): number {
    return low & (this.#heads.length - 1);
  }

  /** A new bucket; the oldest gives way for it when there is no room. Its tokens are the caller's to set. */
  #make({ low, high }: KeyedHash): number {
    const place = this.#ints[USED]! < this.#capacity ? this.#ints[USED]!++ : this.#dropOldest();
    const chain = this.#chain(low);
    this.#low[place] = low;
    this.#high[place] = high;
    this.#next[place] = this.#heads[chain]!;
    this.#heads[chain] = place + 1;
    this.#held[place] = 0;
    this.#failures[place] = 0;
    this.#failuresUntil[place] = 0;
    this.#beYoungest(place);
    return place;
  }

  #dropOldest(): number {
    const place = this.#ints[OLDEST]! - 1;
    this.#unlink(place);
    const chain = this.#chain(this.#low[place]!);
    let before = -1;
    for (let at = this.#heads[chain]! - 1; at !== place; at = this.#next[at]! - 1) before = at;
    if (before < 0) this.#heads[chain] = this.#next[place]!;
    else this.#next[before] = this.#next[place]!;
    return place;
  }

  #touch(place: number): void {
    if (this.#ints[YOUNGEST] === place + 1) return;
    this.#unlink(place);
    this.#beYoungest(place);
  }

  #unlink(place: number): void {
    const younger = this.#younger[place]!;
    const older = this.#older[place]!;
    if (younger === 0) this.#ints[YOUNGEST] = older;
    else this.#older[younger - 1] = older;
    if (older === 0) this.#ints[OLDEST] = younger;
    else this.#younger[older - 1] = younger;
  }

  #beYoungest(place: number): void {
    const youngest = this.#ints[YOUNGEST]!;
    this.#younger[place] = 0;
    this.#older[place] = youngest;
    if (youngest === 0) this.#ints[OLDEST] = place + 1;
    else this.#younger[youngest - 1] = place + 1;
    this.#ints[YOUNGEST] = place + 1;
  }

  /** A thread that has died with the lock has left all in disorder: everything is forgotten. */
  forgetThread(thread: number): void {
    if (Atomics.compareExchange(this.#ints, LOCK, thread + 1, this.#own) !== thread + 1) return;
    this.#forgetAll();
    this.#unlock();
  }

  /** `otherwise` where the lock was not to be had: then nothing is counted, rather than everybody refused. */
  #locked<T>(otherwise: T, run: () => T): T {
    for (let tries = 0; ; tries++) {
      const holder = Atomics.compareExchange(this.#ints, LOCK, 0, this.#own);
      if (holder === 0) break;
      // Its thread has been put off its core.
      if (tries >= SPINS && Atomics.wait(this.#ints, LOCK, holder, LOCK_LOST_MS) === 'timed-out') return otherwise;
    }
    try {
      return run();
    } finally {
      this.#unlock();
    }
  }

  #unlock(): void {
    Atomics.store(this.#ints, LOCK, 0);
    Atomics.notify(this.#ints, LOCK, 1);
  }

  #forgetAll(): void {
    this.#heads.fill(0);
    this.#ints.fill(0, USED, SECRET);
  }
}

function even(length: number): number {
  return length + (length & 1);
}

/** A power of two. */
function chains(capacity: number): number {
  return 2 ** Math.ceil(Math.log2(capacity));
}
