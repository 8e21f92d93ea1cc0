// The threads of the process: started, replaced when they die, stopped in order.
//
// A thread that dies is replaced by a successor that has all it had, but for its connections and what it remembered: what
// a thread must know is in ThreadData or in a standing order. The writer's death ends the process, because outcomes
// would be unknown; so does any thread's report that a file cannot be written, and a successor that does not start.
//
// Limits  starts of one thread are RESTART_MS apart; STARTS_MAX may end before it serves

import type { EventLoopUtilization } from 'node:perf_hooks';
import { setFlagsFromString } from 'node:v8';
import { MessageChannel, type Transferable, Worker, type WorkerOptions } from 'node:worker_threads';
import type { Log } from '../base/log.ts';
import type { SharedState } from '../database/shared.ts';
import { type ProviderAccess, serveProvider } from '../provisioning/replica/handing-writer.ts';
import type { Configuration } from './configuration.ts';
import type { DirectoryOrder } from './threads/directory-sources.ts';
import type { DnsOrder } from './threads/dns.ts';
import type { CommonOrder, ThreadData } from './threads/parts.ts';
import type { ProtocolOrder } from './threads/protocol.ts';
import type { PublisherOrder } from './threads/publisher.ts';
import type { TransferOrder } from './threads/transfer.ts';
import type { WriterData, WriterOrder } from './threads/writer.ts';

export interface SupervisorOptions {
  readonly configuration: Configuration;
  readonly hostnames: readonly string[];
  readonly shared: SharedState;
  readonly log: Log;
  /** The server that this one follows; undefined: it has a directory of its own. */
  readonly provider?: () => ProviderAccess | undefined;
  /** Prints one line and ends the process. */
  readonly fatal: (text: string) => void;
}

/** A thread that serves: its name and its module. */
export interface ThreadKind {
  readonly name: string;
  readonly module: URL;
  /** All mail goes through it: see BUSY_SEMI_SPACE_MIB. */
  readonly isBusy: boolean;
}

/** What threads say of themselves, whatever their kind. */
interface Report {
  readonly kind: string;
  readonly text?: string;
}

/** A successor that dies before it serves is tried again so often. */
const STARTS_MAX = 5;
const RESTART_MS = 1000;

/**
 * What a thread makes that is busy before V8 collects what is left of it. By itself V8 begins with half a MiB, which is a few
 * messages, and each collection keeps all that is under way: docs/decisions/2026-11-27-young-generation-of-busy-threads.md
 */
const BUSY_SEMI_SPACE_MIB = 8;

/** V8 has read its flags. */
function begun(worker: Worker): Promise<void> {
  return new Promise((resolve) => {
    worker.once('online', resolve);
    worker.once('exit', () => resolve());
  });
}

/** By an error too, which has listeners of its own: whoever stops all threads goes on to the next. */
function ended(worker: Worker): Promise<void> {
  return new Promise((resolve) => worker.once('exit', () => resolve()));
}

type Order = CommonOrder | DirectoryOrder | DnsOrder | ProtocolOrder | PublisherOrder | TransferOrder;

/**
 * A thread that serves, whichever worker it runs in now.
 *
 * Standing orders are what a thread must know beside its ThreadData: the last of each kind is kept, and a successor gets
 * them when it has started, in the order in which they were first given. Other orders are for the worker that runs:
 * sockets and answers die with it, and a successor has no descriptor of a segment to forget.
 */
export class ServingThread {
  readonly number: number;
  readonly name: string;
  readonly #spawn: () => Promise<void>;
  readonly #standing = new Map<string, Order>();
  #worker: Worker | undefined;
  #starting: Promise<void> | undefined;
  #startedAt = 0;
  #isStopping = false;

  /** `spawn` makes a worker, says `serves` when it does, and `died` at its end. Rejects for one that never serves. */
  constructor(number: number, name: string, spawn: () => Promise<void>) {
    this.number = number;
    this.name = name;
    this.#spawn = spawn;
  }

  /** Resolves when it serves. */
  start(): Promise<void> {
    this.#startedAt = performance.now();
    this.#starting = this.#spawn();
    return this.#starting;
  }

  /** Starts a successor. Rejects when none comes to serve. */
  async replace(): Promise<void> {
    for (let starts = 1; ; starts++) {
      const waitMs = this.#startedAt + RESTART_MS - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (this.#isStopping) return;
      try {
        return await this.start();
      } catch (error) {
        // One that cannot even start would be started for ever.
        if (starts === STARTS_MAX) throw error;
      }
    }
  }

  serves(worker: Worker): void {
    for (const order of this.#standing.values()) worker.postMessage(order);
    this.#worker = worker;
  }

  died(): void {
    this.#worker = undefined;
  }

  get running(): boolean {
    return this.#worker !== undefined;
  }

  /** Since its worker began; undefined while there is none. */
  utilization(): EventLoopUtilization | undefined {
    return this.#worker?.performance.eventLoopUtilization();
  }

  get stopping(): boolean {
    return this.#isStopping;
  }

  /** To the worker that runs now; dropped while there is none. */
  post(order: Order, transfer: readonly Transferable[] = []): void {
    this.#worker?.postMessage(order, [...transfer]);
  }

  /** A standing order that this worker has carried out: for its successors. The last of a `key` counts. */
  keep(order: Order, key: string = order.kind): void {
    this.#standing.set(key, order);
  }

  /** A standing order: to the worker that runs now, and to each successor. */
  stand(order: Order): void {
    this.keep(order);
    this.post(order);
  }

  withdraw(key: string): void {
    this.#standing.delete(key);
  }

  /** Asks it to end, and waits until it has. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    // One that is just being started again is stopped when it has started.
    await this.#starting?.catch(() => {});
    const worker = this.#worker;
    if (worker === undefined) return;
    const exited = ended(worker);
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
  /** Resolves when the busy threads that were made so far have begun. */
  #busyBegun: Promise<unknown> = Promise.resolve();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Gives the function that ends it. */
  onReport(listener: (thread: ServingThread, report: Report) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** `listener` is called at each serving thread's end, before a successor starts. */
  onExit(listener: (thread: ServingThread) => void): void {
    this.#exitListeners.add(listener);
  }

  async startWriter(switches: Pick<WriterData, 'acknowledgeEarly' | 'synchronous'>): Promise<void> {
    const { configuration, hostnames, shared, fatal } = this.#options;
    const workerData: WriterData = { configuration, hostnames, shared: shared.buffer, ...switches };
    const module = new URL('./threads/writer.ts', import.meta.url);
    const writer = await this.#begin({ name: 'writer', module, isBusy: true }, { workerData });
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

  #providerPort(): MessageChannel['port1'] | undefined {
    const provider = this.#options.provider?.();
    if (provider === undefined) return undefined;
    const { port1, port2 } = new MessageChannel();
    serveProvider(port1, provider);
    return port2;
  }

  /** Resolves when the thread serves. */
  async startThread(kind: ThreadKind): Promise<ServingThread> {
    const number = this.threads.length + 1;
    const thread: ServingThread = new ServingThread(number, kind.name, () => this.#spawn(thread, kind));
    this.threads.push(thread);
    await thread.start();
    return thread;
  }

  async #spawn(thread: ServingThread, kind: ThreadKind): Promise<void> {
    const { configuration, hostnames, shared, log, fatal } = this.#options;
    const port = this.writerPort(thread.number);
    const providerPort = this.#providerPort();
    const workerData: ThreadData = {
      configuration,
      hostnames,
      thread: thread.number,
      name: kind.name,
      shared: shared.buffer,
      writerPort: port,
      ...(providerPort === undefined ? {} : { providerPort }),
    };
    const worker = await this.#begin(kind, {
      workerData,
      transferList: providerPort === undefined ? [port] : [port, providerPort],
    });
    worker.on('error', (error: Error) =>
      log.error('server.thread', { ended: kind.name, detail: error.stack ?? error.message }),
    );
    await new Promise<void>((resolve, reject) => {
      worker.once('exit', () => reject(new Error(`thread ${kind.name} has ended at its start`)));
      worker.on('message', (report: Report) => {
        if (report.kind === 'fatal') fatal(report.text ?? '');
        else if (report.kind === 'started') {
          worker.once('exit', () => this.#replace(thread));
          thread.serves(worker);
          resolve();
        }
        for (const listener of this.#listeners) listener(thread, report);
      });
    });
  }

  /** The flag is the process's, and V8 reads it as a thread begins: the others wait until the busy ones have begun. */
  async #begin({ name, module, isBusy }: ThreadKind, options: WorkerOptions): Promise<Worker> {
    if (!isBusy) await this.#busyBegun;
    setFlagsFromString(`--min-semi-space-size=${isBusy ? BUSY_SEMI_SPACE_MIB : 0}`);
    const worker = new Worker(module, { ...options, name });
    if (isBusy) this.#busyBegun = Promise.all([this.#busyBegun, begun(worker)]);
    return worker;
  }

  #replace(thread: ServingThread): void {
    const { shared, log, fatal } = this.#options;
    thread.died();
    for (const listener of this.#exitListeners) listener(thread);
    if (thread.stopping || this.#stopping) return;
    shared.forgetThread(thread.number);
    log.error('server.restart-thread', { ended: thread.name });
    thread.replace().catch((error: Error) => fatal(error.message));
  }

  /** To every thread that runs. */
  post(order: Order): void {
    for (const thread of this.threads) thread.post(order);
  }

  /** Serving threads, each with its transactions and segments, then the writer. Nothing may write afterwards. */
  async stop(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.stop()));
    this.#stopping = true;
    const writer = this.#writer;
    if (writer === undefined) return;
    const exited = ended(writer);
    writer.postMessage({ kind: 'stop' } satisfies WriterOrder);
    await exited;
  }
}
