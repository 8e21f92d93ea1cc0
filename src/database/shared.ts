// What all threads see: the directory revision, what waits for the writer, how long a commit takes, the last id, a few counts,
// token buckets.

import { randomBytes } from 'node:crypto';
import { idOf, type PublishedRevision, type Revision } from '../base/ids.ts';
import { TokenBuckets } from '../base/token-buckets.ts';

const REVISION = 0;
const WAITING_BYTES = 1;
const ROUTING_REVISION = 2;
const COMMIT_MICROS = 3;
const LISTENERS = 4;
/** Threads of a process; each has a number. */
const THREADS_MAX = 64;
const CONNECTIONS = LISTENERS + THREADS_MAX;
const HASHES = CONNECTIONS + THREADS_MAX;
const LOST_THREADS = HASHES + THREADS_MAX;
const RIGHTS = LOST_THREADS + 1;
const NUMBERS = RIGHTS + 1;
/** The last id, then the numbers; what follows begins at a multiple of 8. */
const NUMBERS_BYTES = 8 + 4 * (NUMBERS + (NUMBERS & 1));
/** Six megabytes each, and only what is used takes memory. */
const BUCKETS = 100_000;
const BUCKETS_BYTES = TokenBuckets.bytes(BUCKETS);
/** One that took longer, when the disk stood still, says no more than that. */
const COMMIT_MICROS_MAX = 100_000;
const SECRET_BYTES = 32;
const SECRET_AT = NUMBERS_BYTES + 2 * BUCKETS_BYTES;

/** What a commit makes known. */
export interface Revisions {
  readonly revision: Revision;
  readonly routingRevision: Revision;
  /** Somebody may have other rights in mailboxes. */
  readonly movesRights?: boolean;
}

export class SharedState {
  readonly buffer: SharedArrayBuffer;
  readonly #numbers: Int32Array;
  /** The last tick of base/ids.ts. */
  readonly ids: BigInt64Array;
  /** Password hashes under way, a cell a thread: see auth/hash-gate.ts. */
  readonly hashCells: Int32Array;
  /** Of logins: see auth/guard.ts. */
  readonly loginBuckets: TokenBuckets;
  /** Of what clients and accounts do beside logging in. They are apart: nobody who guesses pushes these out. */
  readonly useBuckets: TokenBuckets;
  /** Of this run of the process: for what is given out and comes back soon, such as DNS cookies. */
  readonly secret: Uint8Array;

  /** `thread` is the number of the thread that this is for; 0 is the main thread. */
  constructor(buffer?: SharedArrayBuffer, thread = 0) {
    const isNew = buffer === undefined;
    this.buffer = buffer ?? new SharedArrayBuffer(SECRET_AT + SECRET_BYTES);
    this.ids = new BigInt64Array(this.buffer, 0, 1);
    this.#numbers = new Int32Array(this.buffer, 8, NUMBERS);
    this.hashCells = this.#numbers.subarray(HASHES, HASHES + THREADS_MAX);
    const memory = { buffer: this.buffer, capacity: BUCKETS, thread, isNew };
    this.loginBuckets = new TokenBuckets({ ...memory, offset: NUMBERS_BYTES });
    this.useBuckets = new TokenBuckets({ ...memory, offset: NUMBERS_BYTES + BUCKETS_BYTES });
    const secret = new Uint8Array(this.buffer, SECRET_AT, SECRET_BYTES);
    if (isNew) secret.set(randomBytes(SECRET_BYTES));
    // A copy: not every function takes memory that threads share.
    this.secret = Uint8Array.from(secret);
  }

  /** The committed directory revision, its low 32 bits: enough to see that it has changed. 9 ns. */
  revision(): PublishedRevision {
    return idOf(Atomics.load(this.#numbers, REVISION));
  }

  /** The last directory revision whose change moved a row of the routing tables, its low 32 bits. */
  routingRevision(): PublishedRevision {
    return idOf(Atomics.load(this.#numbers, ROUTING_REVISION));
  }

  /** The writer alone calls this, after COMMIT and before any reply. Nothing is published of a batch that was refused. */
  publish(committed: Revisions | undefined): void {
    if (committed === undefined) return;
    const { revision, routingRevision, movesRights } = committed;
    if (movesRights === true) Atomics.add(this.#numbers, RIGHTS, 1);
    // First: who sees the directory's revision knows whether its change moved a row.
    Atomics.store(this.#numbers, ROUTING_REVISION, routingRevision | 0);
    if (Atomics.exchange(this.#numbers, REVISION, revision | 0) !== (revision | 0))
      Atomics.notify(this.#numbers, REVISION);
  }

  /** Another number after each commit that may give somebody other rights in mailboxes. */
  rightsMoves(): number {
    return Atomics.load(this.#numbers, RIGHTS);
  }

  /** Resolves when another revision than the one of now is published. */
  async nextRevision(): Promise<void> {
    await Atomics.waitAsync(this.#numbers, REVISION, this.revision()).value;
  }

  waitingBytes(): number {
    return Atomics.load(this.#numbers, WAITING_BYTES);
  }

  addWaitingBytes(bytes: number): void {
    Atomics.add(this.#numbers, WAITING_BYTES, bytes);
  }

  /** The writer alone calls this, after each COMMIT. */
  noteCommit(ms: number): void {
    const before = Atomics.load(this.#numbers, COMMIT_MICROS);
    const micros = Math.min(COMMIT_MICROS_MAX, Math.round(ms * 1000));
    Atomics.store(this.#numbers, COMMIT_MICROS, before + Math.trunc((micros - before) / 8));
  }

  /** What a COMMIT took lately, the last ones most. */
  commitMicros(): number {
    return Atomics.load(this.#numbers, COMMIT_MICROS);
  }

  /** How many sessions of a thread wait for changes of accounts. */
  addListeners(thread: number, difference: number): void {
    Atomics.add(this.#numbers, LISTENERS + thread, difference);
  }

  hasListeners(thread: number): boolean {
    return Atomics.load(this.#numbers, LISTENERS + thread) > 0;
  }

  /** Open connections of a thread: up where they are accepted, down where they close. */
  addConnections(thread: number, difference: number): void {
    Atomics.add(this.#numbers, CONNECTIONS + thread, difference);
  }

  connections(thread: number): number {
    return Atomics.load(this.#numbers, CONNECTIONS + thread);
  }

  /** How many threads have died. */
  lostThreads(): number {
    return Atomics.load(this.#numbers, LOST_THREADS);
  }

  /** A thread that has died takes its connections and listeners with it. */
  forgetThread(thread: number): void {
    Atomics.store(this.#numbers, LISTENERS + thread, 0);
    Atomics.store(this.#numbers, CONNECTIONS + thread, 0);
    Atomics.store(this.#numbers, HASHES + thread, 0);
    Atomics.add(this.#numbers, LOST_THREADS, 1);
    this.loginBuckets.forgetThread(thread);
    this.useBuckets.forgetThread(thread);
  }
}
