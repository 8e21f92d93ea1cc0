// Asks the thread that hashes (thread.ts): one for each thread that has logins, begun at the first question.
//
// In      a setting, a password
// Out     the hash as text, '' for none
// Limits  those of the gate through which all who ask have come (hash-gate.ts); a thread that nobody asked for a minute ends
// Errors  `unavailable` when the thread dies

import { Worker } from 'node:worker_threads';
import { Failure } from '../../base/failure.ts';
import type { CryptSetting } from './setting.ts';
import type { CryptAnswer, CryptQuestion } from './thread.ts';

const IDLE_MS = 60_000;

class CryptThread {
  readonly #worker = new Worker(new URL('./thread.ts', import.meta.url), { name: 'crypt' });
  readonly #waiting = new Map<number, { resolve(hash: string): void; reject(error: Failure): void }>();
  #idle: NodeJS.Timeout | undefined;
  #last = 0;

  constructor(ended: () => void) {
    this.#worker.on('message', ({ id, hash }: CryptAnswer) => {
      this.#waiting.get(id)?.resolve(hash);
      this.#forget(id);
    });
    // An error is followed by its exit.
    this.#worker.on('error', () => {});
    this.#worker.on('exit', () => {
      ended();
      for (const { reject } of this.#waiting.values()) reject(new Failure('unavailable', 'Try again later'));
      this.#waiting.clear();
    });
    this.#worker.unref();
  }

  hash(setting: CryptSetting, password: Uint8Array): Promise<string> {
    clearTimeout(this.#idle);
    const id = ++this.#last;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    this.#waiting.set(id, { resolve, reject });
    this.#worker.ref();
    this.#worker.postMessage({ id, setting, password } satisfies CryptQuestion);
    return promise;
  }

  #forget(id: number): void {
    this.#waiting.delete(id);
    if (this.#waiting.size > 0) return;
    this.#worker.unref();
    this.#idle = setTimeout(() => void this.#worker.terminate(), IDLE_MS).unref();
  }
}

let thread: CryptThread | undefined;

export function cryptHash(setting: CryptSetting, password: Uint8Array): Promise<string> {
  if (thread === undefined) {
    const begun = new CryptThread(() => {
      if (thread === begun) thread = undefined;
    });
    thread = begun;
  }
  return thread.hash(setting, password);
}
