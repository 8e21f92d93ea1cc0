// A foreign name server as a child of a test: started until it takes connections, its log kept, ended for sure.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { takesConnections } from './free-ports.ts';

const START_MS = 120_000;
const LOG_CHARACTERS = 100_000;

export class Daemon {
  readonly #child: ChildProcess;
  #log = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-LOG_CHARACTERS);
      });
    }
  }

  /** Rejects with its log when it ends, or does not listen over TCP in time. */
  static async start(
    path: string,
    arguments_: readonly string[],
    at: { readonly address: string; readonly port: number },
  ): Promise<Daemon> {
    const child = spawn(path, arguments_, { stdio: ['ignore', 'pipe', 'pipe'] });
    const daemon = new Daemon(child);
    for (const until = performance.now() + START_MS; !(await takesConnections(at.port, at.address)); ) {
      if (performance.now() > until || child.exitCode !== null || child.signalCode !== null) {
        await daemon.stop();
        throw new Error(`${path} does not start:\n${daemon.#log}`);
      }
      await new Promise((turn) => setTimeout(turn, 50));
    }
    return daemon;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  log(): string {
    return this.#log;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }
}
