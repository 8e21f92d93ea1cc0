// The threads of the process: started, replaced when they die, stopped in order.
//
// A protocol thread that dies is replaced; its connections are lost, nothing else. The writer's death ends the process,
// because outcomes would be unknown; so does any thread's report that a file cannot be written.

import { once } from 'node:events';
import { MessageChannel, type Transferable, Worker } from 'node:worker_threads';
import type { Log } from '../base/log.ts';
import type { SharedState } from '../database/shared.ts';
import type { Configuration } from './configuration.ts';
import type { ThreadData } from './threads/parts.ts';
import type { WriterData, WriterOrder } from './threads/writer.ts';

export interface SupervisorOptions {
  readonly configuration: Configuration;
  readonly hostnames: readonly string[];
  readonly shared: SharedState;
  readonly log: Log;
  /** Prints one line and ends the process. */
  readonly fatal: (text: string) => void;
}

/** A thread that serves: its module, and what it is told beside the common. */
export interface ThreadKind {
  readonly name: string;
  readonly module: URL;
}

/** What threads say of themselves, whatever their kind. */
interface Report {
  readonly kind: string;
  readonly text?: string;
}

export class ServingThread {
  readonly number: number;
  readonly name: string;
  #worker: Worker | undefined;
  #starting: Promise<Worker> | undefined;
  readonly #start: () => Promise<Worker>;
  stopping = false;

  constructor(number: number, name: string, start: () => Promise<Worker>) {
    this.number = number;
    this.name = name;
    this.#start = start;
  }

  async start(): Promise<void> {
    this.#starting = this.#start();
    this.#worker = await this.#starting;
  }

  get running(): boolean {
    return this.#worker !== undefined;
  }

  post(order: unknown, transfer: readonly Transferable[] = []): void {
    this.#worker?.postMessage(order, [...transfer]);
  }

  died(): void {
    this.#worker = undefined;
  }

  /** Asks it to end, and waits until it has. */
  async stop(): Promise<void> {
    this.stopping = true;
    // One that is just being started again is stopped when it has started.
    await this.#starting?.catch(() => {});
    const worker = this.#worker;
    if (worker === undefined) return;
    const exited = once(worker, 'exit');
    worker.postMessage({ kind: 'stop' });
    await exited;
  }
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly threads: ServingThread[] = [];
  readonly #listeners = new Set<(thread: ServingThread, report: Report) => void>();
  readonly #exitListeners = new Set<(thread: ServingThread) => void>();
  #writer: Worker | undefined;
  #stopping = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Gives the function that ends it. */
  onReport(listener: (thread: ServingThread, report: Report) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** `listener` hears of each serving thread's end, before another takes its place. */
  onExit(listener: (thread: ServingThread) => void): void {
    this.#exitListeners.add(listener);
  }

  async startWriter(switches: Pick<WriterData, 'acknowledgeEarly' | 'synchronous'>): Promise<void> {
    const { configuration, hostnames, shared, fatal } = this.#options;
    const workerData: WriterData = { configuration, hostnames, shared: shared.buffer, ...switches };
    const writer = new Worker(new URL('./threads/writer.ts', import.meta.url), { workerData, name: 'writer' });
    writer.on('error', (error: Error) => fatal(`the writer has failed: ${error.message}`));
    writer.on('exit', () => {
      if (!this.#stopping) fatal('the writer has ended');
    });
    await new Promise<void>((resolve) => {
      writer.on('message', (report: Report) => {
        if (report.kind === 'fatal') fatal(report.text ?? '');
        else resolve();
      });
    });
    this.#writer = writer;
  }

  /** A port to the writer for thread `thread`, the main thread's own included. */
  writerPort(thread: number): MessageChannel['port1'] {
    const { port1, port2 } = new MessageChannel();
    this.#writer!.postMessage({ kind: 'serve', thread, port: port2 } satisfies WriterOrder, [port2]);
    return port1;
  }

  /** Resolves when the thread serves. */
  async startThread(kind: ThreadKind): Promise<ServingThread> {
    const number = this.threads.length + 1;
    const thread: ServingThread = new ServingThread(number, kind.name, () => this.#spawn(thread, kind));
    this.threads.push(thread);
    await thread.start();
    return thread;
  }

  async #spawn(thread: ServingThread, kind: ThreadKind): Promise<Worker> {
    const { configuration, hostnames, shared, log, fatal } = this.#options;
    const port = this.writerPort(thread.number);
    const workerData: ThreadData = {
      configuration,
      hostnames,
      thread: thread.number,
      name: kind.name,
      shared: shared.buffer,
      writerPort: port,
    };
    const worker = new Worker(kind.module, { workerData, name: kind.name, transferList: [port] });
    worker.on('error', (error: Error) =>
      log.error('server.thread', { thread: kind.name, detail: error.stack ?? error.message }),
    );
    worker.on('exit', () => {
      thread.died();
      for (const listener of this.#exitListeners) listener(thread);
      if (thread.stopping || this.#stopping) return;
      shared.forgetThread(thread.number);
      log.error('server.restart-thread', { thread: kind.name });
      // One that cannot even start would be started for ever.
      thread.start().catch((error: Error) => fatal(error.message));
    });
    await new Promise<void>((resolve, reject) => {
      worker.once('exit', () => reject(new Error(`thread ${kind.name} has ended at its start`)));
      worker.on('message', (report: Report) => {
        if (report.kind === 'fatal') fatal(report.text ?? '');
        else if (report.kind === 'started') resolve();
        for (const listener of this.#listeners) listener(thread, report);
      });
    });
    return worker;
  }

  /** Serving threads, each with its transactions and segments, then the writer. Nothing may write afterwards. */
  async stop(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.stop()));
    this.#stopping = true;
    const writer = this.#writer;
    if (writer === undefined) return;
    const exited = once(writer, 'exit');
    writer.postMessage({ kind: 'stop' } satisfies WriterOrder);
    await exited;
  }
}
