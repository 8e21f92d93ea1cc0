// A real Waypost for a test: started as a user would start it, in a temporary directory, on free ports of 127.0.0.1.
//
// In      configuration, environment, a directory to use again, a program to run it under; in a whole run of the tests the program is
//         the packed one, which takes less to start
// Out     its ports, the administrator's password, ways to stop, kill and start it again
// Never   outlives the test process: what still runs at exit is killed, what was made here is removed

import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Endpoint } from '../../src/demo/clients/line-connection.ts';
import {
  type Exit,
  listenersOf,
  type ReadyLine,
  type ServerAccess,
  ServerChild,
} from '../../src/estate/server-child.ts';
import type { ListenerName } from '../../src/server/listeners.ts';
import type { Switches } from '../../src/server/switches.ts';
import type { Fault } from './thread-faults.ts';
import type { HeapAnswer, HeapQuestion } from './thread-heaps.ts';
import { until } from './until.ts';

const root = resolve(import.meta.dirname, '../..');
const HOSTNAME = 'mail.waypost.example';

export type { Endpoint };
export type Door = ListenerName;

export interface StartOptions {
  /** The text of waypost.toml; without it there is none. */
  readonly config?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Further arguments of `waypost serve`. */
  readonly args?: readonly string[];
  /** A data directory to use; it is then left alone at the end. Without it a new one is made, and removed. */
  readonly data?: string;
  /** What the program is run under, such as `['strace', '-f', ...]`. */
  readonly under?: readonly string[];
  /** The checkout whose program is started; this one if there is none. */
  readonly program?: string;
  /** Runs the tests' own entry point instead of the program: with these switches, and open to faults. */
  readonly switches?: Partial<Switches>;
}

export interface Waypost extends ServerAccess {
  /** Of the server itself: the launcher becomes it. Under another program it is that program's. */
  readonly pid: number;
  /** Milliseconds from the command to the ready line. */
  readonly readyMs: number;
  /** All that was written to standard error, by this process or those before a restart (bounded). */
  stderr(): string;
  /** Until standard error, from `since` on, matches: the log is written after the reply that it tells of. */
  said(pattern: RegExp, since?: number): Promise<void>;
  /** SIGTERM and the end of the process; the directory goes if it was made here. */
  stop(): Promise<Exit>;
  /** SIGKILL. The directory stays, for `restart`. */
  kill9(): Promise<void>;
  /** Starts again on the same directory, after `kill9` or an end of its own; stops first if it still runs. */
  restart(options?: Pick<StartOptions, 'config' | 'env' | 'args' | 'under' | 'switches'>): Promise<void>;
  /** Starts again after `kill9` and kills that start too, so many milliseconds after the command, ready or not. */
  interruptedStart(afterMs: number): Promise<void>;
  /** In the threads of a server that was started with `switches`. */
  fault(fault: Fault): void;
  /** Octets in use in each of these threads after a collection, when so many have said it; those that have by then. */
  heaps(threads: number, waitMs: number): Promise<ReadonlyMap<string, number>>;
  /** Resolves when the process ends by itself. */
  exited(): Promise<Exit>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startWaypost(options: StartOptions = {}): Promise<Waypost> {
  const own = options.data === undefined;
  const data = options.data ?? join(mkdtempSync(join(tmpdir(), 'waypost-')), 'data');
  mkdirSync(data, { recursive: true });
  const kept = keptCertificate(options);
  let running: Running;
  try {
    if (own) takeCertificate(kept, data);
    running = await run(data, options);
    if (own) keepCertificate(kept, data);
  } catch (error) {
    if (own) remove(data);
    throw error;
  }
  let last = options;

  const server: Waypost = {
    data,
    get listeners() {
      return running.listeners;
    },
    get hostname() {
      return running.ready.hostname;
    },
    get ldap() {
      const password = readFileSync(join(data, 'admin-password'), 'utf8').trim();
      return { url: `ldap://${running.ready.listeners['ldap']}`, bindDn: 'cn=Directory Manager', password };
    },
    get pid() {
      return running.child.process.pid!;
    },
    get readyMs() {
      return running.readyMs;
    },
    stderr: () => running.child.stderr,
    said: (pattern, since = 0) =>
      until(`${pattern} on standard error`, () => pattern.test(running.child.stderr.slice(since))),
    fault: (fault) => void running.child.process.send(fault),
    heaps: (threads, waitMs) => askHeaps(running.child, threads, waitMs),
    exited: () => running.child.exited,
    async stop() {
      const exit = await running.child.end('SIGTERM');
      if (own) remove(data);
      return exit;
    },
    async kill9() {
      await running.child.end('SIGKILL');
    },
    async restart(changes = {}) {
      await running.child.end('SIGTERM');
      last = { ...last, ...changes };
      running = await run(data, last, running.child.stderr);
    },
    async interruptedStart(afterMs) {
      await running.child.end('SIGKILL');
      const started = run(data, last, running.child.stderr, afterMs);
      // Ended before it was ready is what is meant to happen; ready and then killed as well.
      running = await started.catch(() => running);
      if (!running.child.isOver) await running.child.end('SIGKILL');
    },
    async [Symbol.asyncDispose]() {
      await this.stop();
    },
  };
  return server;
}

/**
 * The local certificate of the last server of this name that made one: making it is a fifth of a first start. The server decides
 * whether it is good; src/server/local-certificate.test.ts, the estates and the demo make theirs.
 */
function keptCertificate({ env }: StartOptions): string {
  return join(root, '.cache', 'tests', `tls-of-${env?.['WAYPOST_HOSTNAME'] ?? HOSTNAME}`);
}

function takeCertificate(kept: string, data: string): void {
  try {
    if (existsSync(kept)) cpSync(kept, join(data, 'tls'), { recursive: true });
  } catch {
    // Another test is just replacing it: what has come of it is no pair, and the server makes its own.
  }
}

function keepCertificate(kept: string, data: string): void {
  const made = join(data, 'tls');
  const chain = (folder: string): string => readFileSync(join(folder, 'local', 'fullchain.pem'), 'utf8');
  try {
    if (existsSync(kept) && chain(kept) === chain(made)) return;
    const whole = `${kept}.${process.pid}`;
    for (const name of ['ca.pem', 'ca-key.pem', 'local'])
      cpSync(join(made, name), join(whole, name), { recursive: true });
    rmSync(kept, { recursive: true, force: true });
    renameSync(whole, kept);
  } catch {
    // Another was first, or this server has none.
  }
}

function remove(data: string): void {
  rmSync(resolve(data, '..'), { recursive: true, force: true });
}

interface Running {
  readonly child: ServerChild;
  readonly ready: ReadyLine;
  readonly listeners: ServerAccess['listeners'];
  readonly readyMs: number;
}

/** Everything started here that still runs; a test process that dies takes them along. */
const children = new Set<ServerChild>();
process.on('exit', () => {
  for (const { process: child } of children) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

async function run(data: string, options: StartOptions, earlier = '', killAfterMs?: number): Promise<Running> {
  if (options.config !== undefined) writeFileSync(join(data, 'waypost.toml'), options.config);
  const words = [...(options.under ?? []), ...program(options), 'serve', '--data', data, ...(options.args ?? [])];
  const began = performance.now();
  const child = new ServerChild(words, {
    earlier,
    cwd: root,
    env: {
      // As the launcher has it.
      UV_THREADPOOL_SIZE: '16',
      // Where there is a launcher, it does.
      ...(options.switches === undefined ? {} : { MALLOC_ARENA_MAX: '2' }),
      ...withoutWaypost(process.env),
      WAYPOST_PORT_OFFSET: 'auto',
      WAYPOST_LISTEN: '127.0.0.1',
      WAYPOST_HOSTNAME: HOSTNAME,
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe', ...(options.switches === undefined ? [] : ['ipc' as const])],
  });
  children.add(child);
  child.exited.then(() => children.delete(child));
  if (killAfterMs !== undefined) setTimeout(() => child.process.kill('SIGKILL'), killAfterMs);
  const ready = await child.ready();
  return { child, ready, listeners: listenersOf(ready), readyMs: performance.now() - began };
}

let questions = 0;

async function askHeaps(
  { process: child }: ServerChild,
  threads: number,
  waitMs: number,
): Promise<ReadonlyMap<string, number>> {
  const heapOf = ++questions;
  const heaps = new Map<string, number>();
  const all = Promise.withResolvers<void>();
  const listen = (answer: HeapAnswer): void => {
    if (answer.heapOf !== heapOf) return;
    heaps.set(answer.thread, answer.bytes);
    if (heaps.size >= threads) all.resolve();
  };
  const late = setTimeout(all.resolve, waitMs);
  child.on('message', listen);
  child.send({ heapOf } satisfies HeapQuestion);
  await all.promise;
  clearTimeout(late);
  child.off('message', listen);
  return heaps;
}

/** In a whole run of the tests: this checkout's program as an installed package has it. */
const PACKED = process.env['PACKED_PROGRAM'];

function program({ program, switches, env }: StartOptions): readonly string[] {
  // What is loaded into a server looks for its sources: it breaks a line of one, or counts what one does.
  const packed = env?.['NODE_OPTIONS'] === undefined ? PACKED : undefined;
  if (switches === undefined) return [join(program ?? packed ?? root, 'waypost')];
  const support = (name: string): string => join(root, 'test/support', name);
  // As the launcher loads it.
  const preload = [join(root, 'src/server/load-sources.ts'), support('thread-faults.ts'), support('thread-heaps.ts')];
  const words = preload.flatMap((file) => ['--import', file]);
  return [process.execPath, ...words, support('serve-with-switches.ts'), JSON.stringify(switches)];
}

/** A developer's own settings must not reach the server under test. */
function withoutWaypost(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('WAYPOST_')));
}
