// The writer as every other thread sees it: calls go out in batches, a turn's together; outcomes and notifications come back.
//
// Limits  WRITER_QUEUE_BYTES wait at most, over all threads; beyond it a call fails at once as `unavailable`

import type { MessagePort } from 'node:worker_threads';
import type { DirectoryResult } from '../base/directory-result.ts';
import { Failure, type FailureKind } from '../base/failure.ts';
import { type AccountId, idOf, type MailboxId, type Modseq } from '../base/ids.ts';
import { WRITER_QUEUE_BYTES } from '../base/limits.ts';
import type { Reply } from '../base/reply.ts';
import type { Notification, Operation, Writer } from './operation.ts';
import type { SharedState } from './shared.ts';

/** [number of the call, operation, arguments, bytes] */
export type PostedCall = readonly [call: number, name: string, args: unknown, bytes: number];

export interface PostedFailure {
  readonly kind: FailureKind;
  readonly text: string;
  readonly detail: string | undefined;
  readonly reply: Reply | undefined;
  readonly ldap: DirectoryResult | undefined;
}

/** [number of the call, result] or [number of the call, undefined, failure] */
export type PostedOutcome = readonly [call: number, result: unknown, failure?: PostedFailure];

export interface PostedBatch {
  readonly outcomes: readonly PostedOutcome[];
  readonly notifications: readonly Notification[];
  /** Account, mailbox and modseq of each mailbox whose messages have changed, one after another. */
  readonly mailboxes: readonly number[];
}

interface Waiting {
  readonly resolve: (result: never) => void;
  readonly reject: (failure: Failure) => void;
}

/** Arguments without a size given: what a row or two weigh. */
const CALL_BYTES = 512;

export class WriterClient implements Writer {
  readonly #port: MessagePort;
  readonly #shared: SharedState;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(notification: Notification) => void>();
  /** Of this turn: posted at its end. */
  #calls: PostedCall[] = [];
  #bytes = 0;
  #lastCall = 0;
  #idle: (() => void) | undefined;

  constructor(port: MessagePort, shared: SharedState) {
    this.#port = port;
    this.#shared = shared;
    port.on('message', (batch: PostedBatch) => this.#settle(batch));
  }

  execute<A, R>(operation: Operation<A, R>, args: A, bytes = CALL_BYTES): Promise<R> {
    if (this.#shared.waitingBytes() + this.#bytes > WRITER_QUEUE_BYTES)
      return Promise.reject(new Failure('unavailable', 'Too much is waiting, try again later'));
    this.#bytes += bytes;
    const call = ++this.#lastCall;
    if (this.#calls.length === 0) setImmediate(() => this.post());
    this.#calls.push([call, operation.name, args, bytes]);
    return new Promise<R>((resolve, reject) => {
      this.#waiting.set(call, { resolve, reject });
    });
  }

  /** What has been called in this turn leaves now: for who knows that nothing will be added soon. */
  post(): void {
    const calls = this.#calls;
    if (calls.length === 0) return;
    this.#calls = [];
    // Counted when they are posted: calls that a thread has not posted when it dies must not stay counted.
    this.#shared.addWaitingBytes(this.#bytes);
    this.#bytes = 0;
    this.#port.postMessage(calls);
  }

  #settle(batch: PostedBatch): void {
    for (const [call, result, failure] of batch.outcomes) {
      const waiting = this.#waiting.get(call);
      this.#waiting.delete(call);
      if (failure === undefined) waiting?.resolve(result as never);
      else
        waiting?.reject(
          new Failure(failure.kind, failure.text, {
            ...(failure.detail === undefined ? {} : { detail: failure.detail }),
            ...(failure.reply === undefined ? {} : { reply: failure.reply }),
            ...(failure.ldap === undefined ? {} : { ldap: failure.ldap }),
          }),
        );
    }
    for (const notification of batch.notifications) this.#tell(notification);
    const { mailboxes } = batch;
    for (let at = 0; at < mailboxes.length; at += 3) {
      const account = idOf<AccountId>(mailboxes[at]);
      const mailbox = idOf<MailboxId>(mailboxes[at + 1]);
      this.#tell({ kind: 'mailbox', account, mailbox, modseq: idOf<Modseq>(mailboxes[at + 2]) });
    }
    if (this.#waiting.size === 0) this.#idle?.();
  }

  #tell(notification: Notification): void {
    for (const listener of this.#listeners) listener(notification);
  }

  /** Notifications arrive after the commit they speak of. Gives the function that ends it. */
  onNotification(listener: (notification: Notification) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when every call made so far has its outcome. */
  settled(): Promise<void> {
    if (this.#waiting.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }
}
