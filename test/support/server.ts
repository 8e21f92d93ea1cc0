// A real Waypost for a test: started as a user would start it, in a temporary directory, on free ports of 127.0.0.1.
//
// In      configuration, environment, a directory to use again, a program to run it under
// Out     its ports, the administrator's password, ways to stop, kill and start it again
// Never   outlives the test process: what still runs at exit is killed, what was made here is removed

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Endpoint } from '../../src/demo/clients/line-connection.ts';
import type { Switches } from '../../src/server/switches.ts';
import type { Fault } from './thread-faults.ts';

const root = resolve(import.meta.dirname, '../..');

/** From the command to the ready line; generous, because a test is not a stopwatch. */
const READY_MS = 120_000;
/** From SIGTERM to the end. */
const STOP_MS = 60_000;
const STDERR_BYTES = 4 * 1024 * 1024;

export type { Endpoint };

export type Door =
  | 'smtp'
  | 'submission'
  | 'submissions'
  | 'lmtp'
  | 'imap'
  | 'imaps'
  | 'pop3'
  | 'pop3s'
  | 'ldap'
  | 'ldaps'
  | 'dns'
  | 'http'
  | 'https';

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

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Waypost {
  readonly listeners: Readonly<Record<Door, Endpoint>>;
  readonly hostname: string;
  readonly data: string;
  /** Of the server itself: the launcher becomes it. Under another program it is that program's. */
  readonly pid: number;
  /** Of `cn=Directory Manager`. */
  readonly adminPassword: string;
  /** Milliseconds from the command to the ready line. */
  readonly readyMs: number;
  /** All that was written to standard error, by this process or those before a restart (bounded). */
  stderr(): string;
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
  /** Resolves when the process ends by itself. */
  exited(): Promise<Exit>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Thrown when the server ends or says nothing instead of being ready; `stderr` is what it wrote. */
export class StartFailure extends Error {
  readonly exit: Exit | undefined;
  readonly stderr: string;

  constructor(what: string, exit: Exit | undefined, stderr: string) {
    super(`${what}\n${stderr.slice(-4000)}`);
    this.exit = exit;
    this.stderr = stderr;
  }
}

export async function startWaypost(options: StartOptions = {}): Promise<Waypost> {
  const own = options.data === undefined;
  const data = options.data ?? join(mkdtempSync(join(tmpdir(), 'waypost-')), 'data');
  mkdirSync(data, { recursive: true });
  let running: Running;
  try {
    running = await run(data, options, '');
  } catch (error) {
    if (own) remove(data);
    throw error;
  }
  let last = options;

  async function end(signal: NodeJS.Signals): Promise<Exit> {
    const late = setTimeout(() => running.child.kill('SIGKILL'), STOP_MS);
    if (!running.ended) running.child.kill(signal);
    const exit = await running.exited;
    clearTimeout(late);
    return exit;
  }

  const server: Waypost = {
    data,
    get listeners() {
      return running.listeners;
    },
    get hostname() {
      return running.hostname;
    },
    get pid() {
      return running.child.pid!;
    },
    get adminPassword() {
      return readFileSync(join(data, 'admin-password'), 'utf8').trim();
    },
    get readyMs() {
      return running.readyMs;
    },
    stderr: () => running.stderr(),
    fault: (fault) => void running.child.send(fault),
    exited: () => running.exited,
    async stop() {
      const exit = await end('SIGTERM');
      if (own) remove(data);
      return exit;
    },
    async kill9() {
      await end('SIGKILL');
    },
    async restart(changes = {}) {
      await end('SIGTERM');
      last = { ...last, ...changes };
      running = await run(data, last, running.stderr());
    },
    async interruptedStart(afterMs) {
      await end('SIGKILL');
      const started = run(data, last, running.stderr(), afterMs);
      // Ended before it was ready is what is meant to happen; ready and then killed as well.
      running = await started.catch(() => running);
      if (!running.ended) await end('SIGKILL');
    },
    async [Symbol.asyncDispose]() {
      await this.stop();
    },
  };
  return server;
}

function remove(data: string): void {
  rmSync(resolve(data, '..'), { recursive: true, force: true });
}

interface Running {
  readonly child: ChildProcess;
  readonly listeners: Record<Door, Endpoint>;
  readonly hostname: string;
  readonly readyMs: number;
  readonly exited: Promise<Exit>;
  readonly ended: boolean;
  stderr(): string;
}

/** Everything started here that still runs; a test process that dies takes them along. */
const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

async function run(data: string, options: StartOptions, earlier: string, killAfterMs?: number): Promise<Running> {
  if (options.config !== undefined) writeFileSync(join(data, 'waypost.toml'), options.config);
  const [command, ...before] = [...(options.under ?? []), ...program(options)];
  const began = performance.now();
  const child = spawn(command!, [...before, 'serve', '--data', data, ...(options.args ?? [])], {
    cwd: root,
    env: {
      // As the launcher has it.
      UV_THREADPOOL_SIZE: '16',
      ...withoutWaypost(process.env),
      WAYPOST_PORT_OFFSET: 'auto',
      WAYPOST_LISTEN: '127.0.0.1',
      WAYPOST_HOSTNAME: 'mail.waypost.example',
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe', ...(options.switches === undefined ? [] : ['ipc' as const])],
  });
  children.add(child);
  if (killAfterMs !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  let stderr = earlier;
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_BYTES);
  });
  let ended = false;
  const exited = new Promise<Exit>((finish) => {
    const done = (exit: Exit): void => {
      ended = true;
      children.delete(child);
      finish(exit);
    };
    child.once('error', (error) => {
      stderr += String(error);
      done({ code: null, signal: null });
    });
    // `close` and not `exit`: by then all of standard error has been read.
    child.once('close', (code, signal) => done({ code, signal }));
  });

  const ready = await new Promise<ReadyLine>((found, failed) => {
    const late = setTimeout(() => {
      child.kill('SIGKILL');
      failed(new StartFailure(`not ready after ${READY_MS} ms`, undefined, stderr));
    }, READY_MS);
    let rest = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      rest += text;
      for (let at = rest.indexOf('\n'); at >= 0; at = rest.indexOf('\n')) {
        const line = readyLine(rest.slice(0, at));
        rest = rest.slice(at + 1);
        if (line === undefined) continue;
        clearTimeout(late);
        found(line);
      }
    });
    exited.then((exit) => {
      clearTimeout(late);
      failed(new StartFailure(`ended before it was ready (code ${exit.code}, signal ${exit.signal})`, exit, stderr));
    });
  });
  return {
    child,
    listeners: endpoints(ready.listeners),
    hostname: ready.hostname,
    readyMs: performance.now() - began,
    exited,
    get ended() {
      return ended;
    },
    stderr: () => stderr,
  };
}

function program({ program, switches }: StartOptions): readonly string[] {
  if (switches === undefined) return [join(program ?? root, 'waypost')];
  const support = (name: string): string => join(root, 'test/support', name);
  const preload = ['--import', support('thread-faults.ts')];
  return [process.execPath, ...preload, support('serve-with-switches.ts'), JSON.stringify(switches)];
}

interface ReadyLine {
  readonly event: 'ready';
  readonly hostname: string;
  readonly listeners: Readonly<Record<string, string>>;
}

/** Other lines may come first (npm's banner): what is not our JSON object is skipped. */
function readyLine(line: string): ReadyLine | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value = JSON.parse(line);
    return value.event === 'ready' ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A door that this server has not opened is an error where it is used, with its name. */
function endpoints(listeners: Readonly<Record<string, string>>): Record<Door, Endpoint> {
  const found = new Map<string, Endpoint>();
  for (const [door, address] of Object.entries(listeners)) {
    const colon = address.lastIndexOf(':');
    found.set(door, { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) });
  }
  return new Proxy({} as Record<Door, Endpoint>, {
    get(_, door) {
      const endpoint = found.get(String(door));
      if (endpoint === undefined && typeof door === 'string') throw new Error(`the server has no listener ${door}`);
      return endpoint;
    },
    has: (_, door) => found.has(String(door)),
    ownKeys: () => [...found.keys()],
    getOwnPropertyDescriptor: (_, door) => ({ value: found.get(String(door)), enumerable: true, configurable: true }),
  });
}

/** A developer's own settings must not reach the server under test. */
function withoutWaypost(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('WAYPOST_')));
}
