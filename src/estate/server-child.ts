// A server in a process of its own, begun by its command line, as a user would begin it; in the process of a test.
//
// In      the command, its environment and standard streams
// Out     the lines in which `serve` and `dev --json` say that they are ready; how to reach it; its end, and what it has said by then
// Limits  two minutes to be ready, one to end when it is asked to: then it is killed. 4 MiB of standard error are kept
// This half runs on Node 20 and later

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { type Endpoint, endpointOf } from '../demo/clients/line-connection.ts';
import type { ListenerName } from '../server/listeners.ts';

/** Generous: a test is not a stopwatch, and a loaded machine starts more slowly. */
const READY_MS = 120_000;
const END_MS = 60_000;
const STDERR_LENGTH = 4 * 1024 * 1024;

export interface ReadyLine {
  readonly event: 'ready';
  readonly hostname: string;
  /** `smtp` -> `127.0.0.1:41025` */
  readonly listeners: Readonly<Record<string, string>>;
}

/** What a program has to know of a server that it uses. */
export interface ServerAccess {
  readonly hostname: string;
  /** Each door as `net.connect`, nodemailer, imapflow and others take it. */
  readonly listeners: Readonly<Record<ListenerName, Endpoint>>;
  /** The administrator's access to the directory. */
  readonly ldap: { readonly url: string; readonly bindDn: string; readonly password: string };
  /** The data directory, for `waypost ... --data`. */
  readonly data: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Thrown when the server ends or says nothing instead of being ready; `stderr` is what it wrote. */
export class StartFailure extends Error {
  readonly exit: Exit | undefined;
  readonly stderr: string;

  constructor(what: string, exit: Exit | undefined, stderr: string) {
    super(`${what}\n${stderr.slice(-4000).trimEnd()}`);
    this.exit = exit;
    this.stderr = stderr;
  }
}

/** `earlier`: what was said before it by those whose place it takes. */
export interface ServerChildOptions extends SpawnOptions {
  readonly earlier?: string;
}

export class ServerChild {
  readonly process: ChildProcess;
  readonly exited: Promise<Exit>;
  #exit: Exit | undefined;
  #stderr: string;
  #rest = '';
  readonly #ready: ReadyLine[] = [];
  #wake: (() => void) | undefined;

  constructor([command, ...words]: readonly string[], { earlier = '', ...options }: ServerChildOptions) {
    const child = spawn(command!, words, options);
    this.process = child;
    this.#stderr = earlier;
    child.stdin?.on('error', () => {});
    child.stdout!.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_LENGTH);
    });
    this.exited = new Promise((finish) => {
      const over = (exit: Exit): void => {
        this.#exit = exit;
        this.#wake?.();
        finish(exit);
      };
      child.once('error', (error) => {
        this.#stderr += String(error);
        over({ code: null, signal: null });
      });
      // `close` and not `exit`: by then all of standard error has been read.
      child.once('close', (code, signal) => over({ code, signal }));
    });
  }

  get stderr(): string {
    return this.#stderr;
  }

  get isOver(): boolean {
    return this.#exit !== undefined;
  }

  /** The next ready line; one for each time that it begins. */
  async ready<Line extends ReadyLine = ReadyLine>(): Promise<Line> {
    let isLate = false;
    const late = setTimeout(() => {
      isLate = true;
      this.process.kill('SIGKILL');
    }, READY_MS);
    try {
      for (;;) {
        const line = this.#ready.shift();
        if (line !== undefined) return line as Line;
        if (this.#exit !== undefined) {
          const { code, signal } = this.#exit;
          const what = `ended before it was ready (code ${code}, signal ${signal})`;
          throw new StartFailure(isLate ? `not ready after ${READY_MS} ms` : what, this.#exit, this.#stderr);
        }
        await new Promise<void>((wake) => {
          this.#wake = wake;
        });
      }
    } finally {
      clearTimeout(late);
    }
  }

  /** By a signal; without one its standard input ends. */
  async end(signal?: NodeJS.Signals): Promise<Exit> {
    if (this.#exit !== undefined) return this.#exit;
    const late = setTimeout(() => this.process.kill('SIGKILL'), END_MS);
    if (signal === undefined) this.process.stdin?.end();
    else this.process.kill(signal);
    const exit = await this.exited;
    clearTimeout(late);
    return exit;
  }

  /** Other lines may come first (npm's banner): what is not a JSON object of ours is skipped. */
  #read(text: string): void {
    this.#rest += text;
    for (let end = this.#rest.indexOf('\n'); end >= 0; end = this.#rest.indexOf('\n')) {
      const line = readyLine(this.#rest.slice(0, end));
      this.#rest = this.#rest.slice(end + 1);
      if (line === undefined) continue;
      this.#ready.push(line);
      this.#wake?.();
    }
  }
}

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
export function listenersOf({ listeners }: ReadyLine): ServerAccess['listeners'] {
  const found = new Map(Object.entries(listeners).map(([door, text]) => [door, endpointOf(text)]));
  return new Proxy({} as ServerAccess['listeners'], {
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
