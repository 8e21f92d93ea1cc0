// The one thread that writes: it gathers what all threads have posted, runs it as one batch, commits, and replies.
//
// In      arrays of calls on one port a thread
// Out     one message a thread and batch: outcomes, and notifications where a session waits for them
// Limits  a batch is BATCH_OPERATIONS calls or BATCH_MS; nothing waits for a timer, so an idle system has no added latency
// Order   segments synced that the batch's rows name, then COMMIT, then the revision is published, then the replies leave: a thread that learns of a change can read it
// Errors  FatalStoreError ends the process: the caller's `fatal` prints one line; no reply leaves for that batch

import { statSync } from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Failure } from '../base/failure.ts';
import type { SegmentId } from '../base/ids.ts';
import { BATCH_MS, BATCH_OPERATIONS } from '../base/limits.ts';
import type { Log } from '../base/log.ts';
import { Batch, FatalStoreError } from './batch.ts';
import type { PostedBatch, PostedCall, PostedFailure, PostedOutcome } from './client.ts';
import { BUSY_TIMEOUT_MS, classifyEngineError, Statements } from './connection.ts';
import type { Notification, Operation, Row } from './operation.ts';
import type { SharedState } from './shared.ts';

/** WAL pages after which they are written back, and after which the WAL is started anew. A page is 4 KiB. */
const CHECKPOINT_PAGES = 8000;
const RESTART_PAGES = 16_384;
/** The same while batches are long: bulk work changes the same pages again and again, and each is written back once. */
const BULK_CHECKPOINT_PAGES = 32_768;
const BULK_RESTART_PAGES = 65_536;
/** Batches between two looks at the WAL; it is looked at behind a longer one, too: a list of changes may be 10 MB of it. */
const CHECKPOINT_EVERY = 32;
const LONG_BATCH_MS = 20;
/** How long a restart of the WAL may wait for readers; it is tried again later. */
const RESTART_WAIT_MS = 100;
/** Between two of which the first has waited in vain. */
const RESTART_EVERY_MS = 2000;

interface Peer {
  readonly thread: number;
  readonly port: MessagePort;
}

interface Queued {
  readonly peer: Peer;
  readonly call: PostedCall;
}

/** The files of message bytes; whose they are is the store's to say. */
export interface SegmentFiles {
  /** Throws where the disk does not take it: what is on it is not known then. */
  sync(segment: SegmentId): void;
  /** The file is gone. */
  forget(segment: SegmentId): void;
}

export interface WriterOptions {
  readonly database: DatabaseSync;
  readonly operations: readonly Operation<never, unknown>[];
  readonly shared: SharedState;
  readonly log: Log;
  readonly segments: SegmentFiles;
  /** Prints one line and ends the process. */
  readonly fatal: (error: Error) => void;
  /** For the test that shows what the commit is for: replies leave before it. */
  readonly acknowledgeEarly: boolean;
}

export class WriterLoop {
  readonly #options: WriterOptions;
  readonly #statements: Statements;
  readonly #operations: ReadonlyMap<string, Operation<never, unknown>>;
  readonly #peers: Peer[] = [];
  readonly #queue: Queued[] = [];
  #busy = false;
  #dead = false;
  #batches = 0;
  #restartsAt = 0;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#statements = new Statements(options.database);
    this.#operations = new Map(options.operations.map((operation) => [operation.name, operation]));
  }

  /** Serves a thread's port until it closes. What it posted before it died is executed all the same. */
  serve(thread: number, port: MessagePort): void {
    const peer = { thread, port };
    this.#peers.push(peer);
    port.on('message', (calls: readonly PostedCall[]) => {
      this.#take(peer, calls);
      void this.#run();
    });
    // All that was posted has been received: a port's 'close' follows its messages. Asking a closed port for more ends the
    // process (Node 26.10: receiveMessageOnPort after 'close' is a segmentation fault).
    port.on('close', () => {
      this.#peers.splice(this.#peers.indexOf(peer), 1);
      void this.#run();
    });
  }

  #take(peer: Peer, calls: readonly PostedCall[]): void {
    for (const call of calls) this.#queue.push({ peer, call });
  }

  #drain(peer: Peer): void {
    for (;;) {
      const received = receiveMessageOnPort(peer.port);
      if (received === undefined) return;
      this.#take(peer, received.message as readonly PostedCall[]);
    }
  }

  async #run(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      while (this.#queue.length > 0 && !this.#dead) {
        const began = performance.now();
        await this.#batch();
        const isLong = performance.now() - began > LONG_BATCH_MS;
        if (isLong) this.#checkpoint(BULK_CHECKPOINT_PAGES, BULK_RESTART_PAGES);
        else if (++this.#batches % CHECKPOINT_EVERY === 0) this.#checkpoint(CHECKPOINT_PAGES, RESTART_PAGES);
      }
    } catch (error) {
      this.#dead = true;
      this.#options.fatal(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#busy = false;
    }
  }

  async #batch(): Promise<void> {
    const started = performance.now();
    const batch = new Batch(this.#options.database, this.#statements, this.#operations);
    const taken: Queued[] = [];
    while (batch.size < BATCH_OPERATIONS) {
      if (taken.length === this.#queue.length) {
        for (const peer of this.#peers) this.#drain(peer);
        if (taken.length === this.#queue.length) break;
      }
      const queued = this.#queue[taken.length]!;
      await batch.add({ name: queued.call[1], args: queued.call[2] });
      taken.push(queued);
      if (performance.now() - started > BATCH_MS) break;
    }
    this.#queue.splice(0, taken.length);
    if (this.#options.acknowledgeEarly) {
      this.#reply(taken, batch.outcomes, batch.notifications);
      await new Promise((resolve) => setTimeout(resolve, 50));
      this.#options.shared.publish(this.#commit(batch).revisions);
      return;
    }
    const { outcomes, notifications, revisions } = this.#commit(batch);
    this.#options.shared.publish(revisions);
    this.#reply(taken, outcomes, notifications);
  }

  #commit(batch: Batch): ReturnType<Batch['commit']> {
    const { segments, shared } = this.#options;
    for (const segment of batch.unsynced) segments.sync(segment);
    const started = performance.now();
    const outcome = batch.commit();
    shared.noteCommit(performance.now() - started);
    for (const notification of outcome.notifications)
      if (notification.kind === 'segment') segments.forget(notification.segment);
    return outcome;
  }

  #reply(taken: readonly Queued[], outcomes: Batch['outcomes'], notifications: readonly Notification[]): void {
    const posted = new Map<Peer, PostedOutcome[]>();
    let bytes = 0;
    taken.forEach(({ peer, call }, index) => {
      const outcome = outcomes[index]!;
      bytes += call[3];
      const list = posted.get(peer) ?? [];
      if (list.length === 0) posted.set(peer, list);
      if ('failure' in outcome) {
        this.#logFailure(call[1], outcome.failure);
        list.push([call[0], undefined, postedFailure(outcome.failure)]);
      } else list.push([call[0], outcome.result]);
    });
    this.#options.shared.addWaitingBytes(-bytes);
    const sent = distinct(notifications);
    let changes: readonly number[] | undefined;
    for (const peer of this.#peers) {
      const own = posted.get(peer) ?? [];
      // Only a thread whose sessions look at mailboxes hears of their changes.
      const mailboxes = this.#options.shared.hasListeners(peer.thread) ? (changes ??= changesOf(notifications)) : NONE;
      if (own.length === 0 && sent.length === 0 && mailboxes.length === 0) continue;
      peer.port.postMessage({ outcomes: own, notifications: sent, mailboxes } satisfies PostedBatch);
    }
  }

  #logFailure(name: string, failure: Failure): void {
    if (failure.detail === undefined) return;
    this.#options.log.warn('database.refuse', { operation: name, kind: failure.kind, detail: failure.detail });
  }

  /** Writes the WAL back, here and nowhere else: a thread of its own would let it grow without bound. */
  #checkpoint(from: number, restartFrom: number): void {
    try {
      let pages = this.#walPages('NOOP');
      if (pages < from) return;
      pages = this.#walPages('PASSIVE');
      if (pages < restartFrom) return;
      this.#restartWal();
    } catch (error) {
      const kind = classifyEngineError(error);
      if (kind === 'fatal') throw new FatalStoreError(error);
      if (kind === undefined) throw error;
      this.#options.log.warn('database.checkpoint', { detail: String(error) });
    }
  }

  #restartWal(): void {
    const now = performance.now();
    if (now < this.#restartsAt) return;
    this.#options.database.exec(`PRAGMA busy_timeout = ${RESTART_WAIT_MS}`);
    try {
      if (this.#checkpointed('RESTART')['busy'] !== 0) this.#restartsAt = now + RESTART_EVERY_MS;
    } finally {
      this.#options.database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    }
  }

  #walPages(mode: 'NOOP' | 'PASSIVE'): number {
    return Number(this.#checkpointed(mode)['log'] ?? 0);
  }

  #checkpointed(mode: 'NOOP' | 'PASSIVE' | 'RESTART'): Row {
    return (this.#statements.rows(`PRAGMA wal_checkpoint(${mode})`).get() ?? {}) as Row;
  }
}

const NONE: readonly number[] = [];

/** Account, mailbox and modseq of each mailbox that has changed, the last of each; numbers, because they are cloned fast. */
function changesOf(notifications: readonly Notification[]): readonly number[] {
  const last = new Map<number, Map<number, number>>();
  for (const notification of notifications) {
    if (notification.kind !== 'mailbox') continue;
    const { account, mailbox, modseq } = notification;
    const own = last.get(account);
    if (own === undefined) last.set(account, new Map([[mailbox, modseq]]));
    else own.set(mailbox, modseq);
  }
  const changes: number[] = [];
  for (const [account, own] of last) for (const [mailbox, modseq] of own) changes.push(account, mailbox, modseq);
  return changes;
}

/** Each once, without those of mailboxes. */
function distinct(notifications: readonly Notification[]): Notification[] {
  const seen = new Map<string, Notification>();
  for (const notification of notifications)
    if (notification.kind !== 'mailbox') seen.set(keyOf(notification), notification);
  return [...seen.values()];
}

function keyOf(notification: Notification): string {
  switch (notification.kind) {
    case 'mailboxes':
      return `a${notification.account}`;
    case 'segment':
      return `s${notification.segment}`;
    case 'segment-end':
      return `e${notification.segment}`;
    case 'login':
    case 'domain':
      return JSON.stringify(notification);
    default:
      return notification.kind;
  }
}

function postedFailure({ kind, message, detail, reply, ldap }: Failure): PostedFailure {
  return { kind, text: message, detail, reply, ldap };
}

/** Bytes of the write-ahead log, for status and metrics; 0 where there is none. */
export function walBytes(path: string): number {
  return statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}
