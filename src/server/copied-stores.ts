// Copies of the store on which an import is tried: each with a writer of its own, which does what the real one would do.
//
// Limits  one at a time; one that nobody has used for IDLE_MS ends, and its files go. What a killed server has left goes at the start
// Errors  `too-many` while there is one; `full` where there is no space for a copy; `not-found` for one that has ended

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { Rehearsals } from '../admin/directory-import.ts';
import { Failure } from '../base/failure.ts';
import { WriterClient } from '../database/client.ts';
import type { Writer } from '../database/operation.ts';
import { SharedState } from '../database/shared.ts';
import type { MainParts } from './main-parts.ts';
import { databasePath, runPath } from './paths.ts';
import type { CopiedWriterData } from './threads/copied-writer.ts';
import type { WriterOrder, WriterReport } from './threads/writer.ts';

const IDLE_MS = 600_000;

interface Copy {
  readonly name: string;
  readonly worker: Worker;
  readonly writer: WriterClient;
  /** Rejects when its thread fails. */
  readonly died: Promise<never>;
  idle: NodeJS.Timeout | undefined;
}

export class CopiedStores implements Rehearsals {
  readonly #main: Pick<MainParts, 'configuration' | 'hostnames'>;
  readonly #folder: string;
  #isBeginning = false;
  #copy: Copy | undefined;

  constructor(main: Pick<MainParts, 'configuration' | 'hostnames'>) {
    this.#main = main;
    this.#folder = join(runPath(main.configuration.data), 'copy');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async begin(): Promise<string> {
    if (this.#isBeginning || this.#copy !== undefined)
      throw new Failure('too-many', 'Another dry run is under way, try again later');
    this.#isBeginning = true;
    try {
      this.#copy = await this.#begun();
      this.#used(this.#copy);
      return this.#copy.name;
    } catch (error) {
      rmSync(this.#folder, { recursive: true, force: true });
      throw error;
    } finally {
      this.#isBeginning = false;
    }
  }

  writer(name: string): Writer {
    const copy = this.#copy;
    if (copy?.name !== name) throw new Failure('not-found', 'This dry run has ended');
    this.#used(copy);
    return {
      execute: (operation, args, bytes) => Promise.race([copy.writer.execute(operation, args, bytes), copy.died]),
    };
  }

  async end(name: string): Promise<void> {
    const copy = this.#copy;
    if (copy?.name !== name) return;
    clearTimeout(copy.idle);
    copy.worker.postMessage({ kind: 'stop' } satisfies WriterOrder);
    await Promise.race([once(copy.worker, 'exit'), copy.died]).catch(() => {});
    this.#copy = undefined;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #begun(): Promise<Copy> {
    const { configuration, hostnames } = this.#main;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const shared = new SharedState();
    const workerData: CopiedWriterData = {
      source: databasePath(configuration.data),
      configuration: { ...configuration, data: this.#folder },
      shared: shared.buffer,
      hostnames,
      acknowledgeEarly: false,
      synchronous: 'OFF',
    };
    const worker = new Worker(new URL('./threads/copied-writer.ts', import.meta.url), { workerData, name: 'copy' });
    const died = new Promise<never>((_, reject) => {
      worker.on('error', (error: Error) =>
        reject(new Failure('unavailable', 'The dry run has failed', { cause: error })),
      );
      worker.on('message', (report: WriterReport) => {
        if (report.kind === 'fatal') reject(new Failure('unavailable', report.text));
      });
    });
    // Later there may be nobody who waits for it.
    died.catch(() => {});
    await Promise.race([once(worker, 'message'), died]);
    worker.unref();
    const { port1, port2 } = new MessageChannel();
    worker.postMessage({ kind: 'serve', thread: 0, port: port2 } satisfies WriterOrder, [port2]);
    const name = randomBytes(12).toString('hex');
    return { name, worker, writer: new WriterClient(port1, shared), died, idle: undefined };
  }

  #used(copy: Copy): void {
    clearTimeout(copy.idle);
    copy.idle = setTimeout(() => void this.end(copy.name), IDLE_MS).unref();
  }
}
