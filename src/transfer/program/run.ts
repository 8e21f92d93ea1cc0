// One run of a program: a process group of its own, in bounds, with the message on its standard input.
//
// In      what to run and as whom; the message, piece by piece
// Out     how it ended, and the first OUTPUT_BYTES of what it has written to either output; what comes after is dropped
// Limits  time; memory, processes, the size of files and no core, by prlimit(1). When the program has ended, or its time is
//         over, all of its process group are killed, and then those that have left the group, by the run's mark (mark.ts)
// Never   a shell, an environment but the one given, a program without limits
// Errors  a message that cannot be read to its end: the program is killed, and no end of the message is shown to it

import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import type { Identity } from './identity.ts';
import { endBearers } from './mark.ts';
import type { Ended } from './status.ts';

const OUTPUT_BYTES = 4096;
/** Of one file that it writes. */
const FILE_BYTES = 1024 ** 3;
/** Of all that the user runs. */
const PROCESSES = 256;
/** How long an output is awaited that somebody else holds open. */
const OUTPUT_MS = 1000;
const PRLIMIT = ['/usr/bin/prlimit', '/bin/prlimit'] as const;

export interface Command {
  readonly path: string;
  readonly words: readonly string[];
  readonly identity: Identity;
  readonly environment: Readonly<Record<string, string>>;
  readonly timeMs: number;
  readonly memoryBytes: number;
  /** What all of its processes bear, and no others. */
  readonly mark: string;
}

export interface Ran {
  readonly ended: Ended;
  readonly output: string;
}

/** Undefined: this machine has none, and nothing can be run. */
export async function findPrlimit(): Promise<string | undefined> {
  for (const path of PRLIMIT)
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // The next place.
    }
  return undefined;
}

/** Undefined: `signal` has ended it. */
export async function runProgram(
  prlimit: string,
  command: Command,
  message: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<Ran | undefined> {
  const { uid, gid, isOwn } = command.identity;
  const limits = [
    `--as=${command.memoryBytes}`,
    `--fsize=${FILE_BYTES}`,
    '--core=0',
    `--locks=${command.mark}`,
    // Of the server's user they would count the server's threads.
    ...(isOwn ? [] : [`--nproc=${PROCESSES}`]),
  ];
  const child = spawn(prlimit, [...limits, '--', command.path, ...command.words], {
    cwd: '/',
    env: command.environment,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(isOwn ? {} : { uid, gid }),
  });
  const run = new Run(child, command, signal);
  try {
    await run.feed(message);
    return await run.ended();
  } finally {
    await run.sweep();
  }
}

class Run {
  readonly #child: ChildProcess;
  readonly #mark: string;
  readonly #signal: AbortSignal;
  readonly #ended: Promise<Ended>;
  readonly #closed: Promise<void>;
  readonly #timer: NodeJS.Timeout;
  readonly #output: Buffer[] = [];
  #outputBytes = 0;
  #isTooLong = false;
  #isOver = false;
  #isGroupDead = false;
  #isSwept = false;
  readonly #abort = (): void => this.killAll();

  constructor(child: ChildProcess, { timeMs, mark }: Pick<Command, 'timeMs' | 'mark'>, signal: AbortSignal) {
    this.#child = child;
    this.#mark = mark;
    this.#signal = signal;
    this.#ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, by) => {
        this.#isOver = true;
        if (this.#isTooLong) resolve({ isTooLong: true });
        else resolve(code === null ? { signal: by ?? 'a signal' } : { code });
      });
    });
    // It may fail while the message is still being written.
    this.#ended.catch(() => {});
    this.#closed = new Promise((resolve) => {
      child.once('close', () => resolve());
      child.once('error', () => resolve());
    });
    for (const output of [child.stdout!, child.stderr!]) {
      output.on('data', (chunk: Buffer) => this.#keep(chunk));
      output.on('error', () => {});
    }
    this.#timer = setTimeout(() => {
      this.#isTooLong = true;
      this.killAll();
    }, timeMs);
    if (signal.aborted) this.killAll();
    signal.addEventListener('abort', this.#abort, { once: true });
  }

  #keep(chunk: Buffer): void {
    if (this.#outputBytes >= OUTPUT_BYTES) return;
    const kept = chunk.subarray(0, OUTPUT_BYTES - this.#outputBytes);
    this.#output.push(kept);
    this.#outputBytes += kept.length;
  }

  /** A program need not read what it is given: its end says what it has made of it. */
  async feed(message: AsyncIterable<Buffer>): Promise<void> {
    const input = this.#child.stdin!;
    let isOpen = true;
    const shut = new Promise<void>((resolve) => {
      const close = (): void => {
        isOpen = false;
        resolve();
      };
      // Later ones, too: whoever reads nothing may end all the same.
      input.on('error', close).once('close', close);
      this.#ended.then(close, close);
    });
    for await (const piece of message) {
      if (!isOpen) break;
      if (!input.write(piece)) await Promise.race([shut, new Promise((resolve) => input.once('drain', resolve))]);
    }
    if (isOpen) input.end();
  }

  async ended(): Promise<Ran | undefined> {
    const ended = await this.#ended;
    clearTimeout(this.#timer);
    // What it has left behind would hold its output open.
    await this.sweep();
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, OUTPUT_MS);
    });
    await Promise.race([this.#closed, enough]);
    clearTimeout(timer);
    for (const stream of [this.#child.stdin!, this.#child.stdout!, this.#child.stderr!]) stream.destroy();
    if (this.#signal.aborted && 'signal' in ended) return undefined;
    return { ended, output: Buffer.concat(this.#output).toString('utf8') };
  }

  /** The whole process group; once its leader is gone, those that it has left behind. */
  killAll(): void {
    this.#signal.removeEventListener('abort', this.#abort);
    clearTimeout(this.#timer);
    const { pid } = this.#child;
    if (pid === undefined || this.#isGroupDead) return;
    // Later its number may be another's.
    this.#isGroupDead = this.#isOver;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // All of them are gone.
    }
  }

  /** Those, and whoever of the run is in no group of its. */
  async sweep(): Promise<void> {
    this.killAll();
    if (this.#isSwept) return;
    this.#isSwept = true;
    await endBearers((mark) => mark === this.#mark);
  }
}
