// A private BIND 9 for tests: one port of 127.0.0.1, zones in a temporary directory, open to transfers, NOTIFY where it is told.
//
// In      zones as text; the port that is notified of their changes
// Out     where it listens
// Never   reads the system's configuration; outlives its stop()

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, takesConnections } from './free-ports.ts';
import { peer } from './peers.ts';

const START_MS = 30_000;

export class Bind {
  readonly #directory: string;
  readonly #child: ChildProcess;
  readonly port: number;
  #log = '';

  private constructor(directory: string, child: ChildProcess, port: number) {
    this.#directory = directory;
    this.#child = child;
    this.port = port;
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-100_000);
    });
  }

  /** `zones`: the records of each. `refusing`: names of zones that nobody may have. */
  static async start(
    zones: Readonly<Record<string, string>>,
    notified: number,
    refusing: readonly string[] = [],
  ): Promise<Bind> {
    const directory = mkdtempSync(join(tmpdir(), 'waypost-bind-'));
    const port = await freePort();
    const blocks = Object.keys(zones).map(
      (zone) => `zone "${zone}" { type primary; file "${join(directory, zone)}"; notify explicit;
  also-notify { 127.0.0.1 port ${notified}; }; allow-transfer { ${refusing.includes(zone) ? 'none' : 'any'}; }; };`,
    );
    writeFileSync(
      join(directory, 'named.conf'),
      `options { directory "${directory}"; listen-on port ${port} { 127.0.0.1; }; listen-on-v6 { none; };
  pid-file none; session-keyfile none; lock-file none; recursion no; dnssec-validation no; notify-delay 0;
  notify-rate 1000; startup-notify-rate 1000; };
controls { };
${blocks.join('\n')}
`,
    );
    for (const [zone, text] of Object.entries(zones)) writeFileSync(join(directory, zone), text);
    const arguments_ = ['-g', '-c', join(directory, 'named.conf'), '-p', String(port), '-n', '1'];
    const child = spawn(peer('named').path, arguments_, { stdio: ['ignore', 'ignore', 'pipe'] });
    const bind = new Bind(directory, child, port);
    for (const until = performance.now() + START_MS; !(await takesConnections(port)); ) {
      if (performance.now() > until || child.exitCode !== null) throw new Error(`BIND does not start:\n${bind.#log}`);
      await new Promise((turn) => setTimeout(turn, 50));
    }
    return bind;
  }

  log(): string {
    return this.#log;
  }

  /** It reads the file again, and says NOTIFY where the serial has risen. */
  change(zone: string, text: string): void {
    writeFileSync(join(this.#directory, zone), text);
    this.#child.kill('SIGHUP');
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await exited;
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
