// A real HAProxy before a server under test: one process, its configuration in a temporary directory.
//
// In      the proxies that it shall be: where it connects to, from which address, how it says whose connection it is
// Out     a port of 127.0.0.1 for each
// Never   outlives the test process

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, takesConnections } from './free-ports.ts';
import { peer } from './peers.ts';
import type { Endpoint } from './server.ts';

export interface ProxyLine {
  readonly to: Endpoint;
  /** Behind `server`: `send-proxy`, `send-proxy-v2 proxy-v2-options crc32c`. */
  readonly options: string;
  /** PEM file of certificate and key: TLS ends at the proxy. */
  readonly certificate?: string;
}

export class HaProxy {
  readonly #child: ChildProcess;
  readonly #directory: string;
  /** In the order of the lines. */
  readonly ports: readonly number[];

  private constructor(child: ChildProcess, directory: string, ports: readonly number[]) {
    this.#child = child;
    this.#directory = directory;
    this.ports = ports;
    process.once('exit', () => child.kill('SIGKILL'));
  }

  /** `from`: the address from which it connects. */
  static async start(from: string, lines: readonly ProxyLine[]): Promise<HaProxy> {
    const directory = mkdtempSync(join(tmpdir(), 'waypost-haproxy-'));
    const ports: number[] = [];
    for (const _ of lines) ports.push(await freePort());
    const file = join(directory, 'haproxy.cfg');
    writeFileSync(file, [...HEAD, ...lines.flatMap((line, i) => section(i, ports[i]!, from, line)), ''].join('\n'));
    const child = spawn(peer('haproxy').path, ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    const proxy = new HaProxy(child, directory, ports);
    for (const port of ports) {
      while (!(await takesConnections(port))) {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error(`haproxy: ${said}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    return proxy;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL');
      await once(this.#child, 'exit');
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

const HEAD = [
  'global',
  '  maxconn 200',
  '  nbthread 1',
  'defaults',
  '  mode tcp',
  '  timeout connect 10s',
  '  timeout client 60s',
  '  timeout server 60s',
];

function section(number: number, port: number, from: string, { to, options, certificate }: ProxyLine): string[] {
  return [
    `listen line${number}`,
    `  bind 127.0.0.1:${port}${certificate === undefined ? '' : ` ssl crt ${certificate}`}`,
    `  source ${from}`,
    `  server waypost ${to.host}:${to.port} ${options}`,
  ];
}
