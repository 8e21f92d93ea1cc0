// A foreign server as a process of the test: started in its room, waited for, ended with all that it has started.
//
// In      a command, its folder, the port that it will listen on
// Out     what it has delivered and logged, as text
// Never   outlives its stop()

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { takesConnections } from '../support/free-ports.ts';

const START_MS = 120_000;
const LOG_BYTES = 1024 * 1024;

export interface BesideOptions {
  /** With `mail/` for what it delivers; removed at the end. */
  readonly folder: string;
  readonly command: readonly string[];
  readonly port: number;
}

export class BesideServer {
  readonly port: number;
  readonly folder: string;
  readonly #child: ChildProcess;
  #printed = '';

  private constructor({ folder, port }: BesideOptions, child: ChildProcess) {
    this.folder = folder;
    this.port = port;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream
        ?.setEncoding('utf8')
        .on('data', (text: string) => (this.#printed = (this.#printed + text).slice(-LOG_BYTES)));
  }

  static async start(options: BesideOptions): Promise<BesideServer> {
    const [program, ...words] = options.command;
    // A group of its own, so that its children end with it.
    const child = spawn(program!, words, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    const server = new BesideServer(options, child);
    const kill = (): void => server.#end('SIGKILL');
    process.once('exit', kill);
    child.once('exit', () => process.removeListener('exit', kill));
    const until = performance.now() + START_MS;
    while (!(await takesConnections(options.port))) {
      if (child.exitCode !== null || performance.now() > until) {
        const log = server.log();
        await server.stop();
        throw new Error(`${program} does not start:\n${log}`);
      }
      await new Promise((turn) => setTimeout(turn, 50));
    }
    return server;
  }

  /** All files of `mail/`, one behind the other. */
  delivered(): string {
    return textOf(join(this.folder, 'mail'));
  }

  /** What it has printed, and its log files. */
  log(): string {
    return this.#printed + textOf(join(this.folder, 'log'));
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = new Promise((resolve) => this.#child.once('exit', resolve));
      this.#end('SIGTERM');
      const late = setTimeout(() => this.#end('SIGKILL'), 5000);
      await ended;
      clearTimeout(late);
    }
    this.#end('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Its whole group. */
  #end(signal: 'SIGTERM' | 'SIGKILL'): void {
    try {
      process.kill(-this.#child.pid!, signal);
    } catch {
      // There is none any more.
    }
  }
}

function textOf(folder: string): string {
  if (!existsSync(folder)) return '';
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.map(({ parentPath, name }) => textOfFile(join(parentPath, name))).join('');
}

/** The server renames and removes files of its own meanwhile. */
function textOfFile(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
