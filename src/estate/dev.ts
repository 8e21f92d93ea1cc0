// The verb `dev`: a whole server on throw-away data and free ports, for who writes programs that send or read mail. It stays until it
// is ended, and everything is gone then. Works beside a server that runs, and beside others of its kind.
//
// In      an LDIF file that is loaded over LDAP, as the administrator, at each start
// Out     standard output: where each door listens and the passwords, as text; with `json` a line of JSON
// With `json` standard input is listened to: `reset` begins anew with the seed, on the same ports, and says so by the same line;
// its end ends the server, so that nothing outlives the program that began it, however that ended
// SIGINT, SIGTERM and SIGHUP end it cleanly, exit code 0; a second one at once

import { readdirSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { EXIT } from '../base/exit.ts';
import { Failure } from '../base/failure.ts';
import { unreadable } from '../cli/input-file.ts';
import type { DevOptions } from '../cli/program.ts';
import { LdapClient } from '../demo/clients/ldap-client.ts';
import { endpointOf } from '../demo/clients/line-connection.ts';
import { inThrowAway } from '../demo/throw-away.ts';
import { ADMINISTRATOR_DN } from '../directory/caller.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { parseLdif } from '../directory/ldif.ts';
import { type Configuration, configure } from '../server/configuration.ts';
import { adminPasswordPath, tlsPath } from '../server/paths.ts';
import { type RunningServer, start } from '../server/start.ts';
import type { ReadyLine } from './server-child.ts';

/** What a program that began it is told, a line of JSON: now all that was loaded is there. */
export interface DevReady extends ReadyLine {
  /** The data directory, for `--data` of commands. */
  readonly data: string;
  readonly adminDn: string;
  readonly adminPassword: string;
}

const HOSTNAME = 'mail.waypost.example';
const RECORDS_MAX = 100_000;
/**
 * Other hosts are tried again at once: whoever develops does not wait a minute for it. Two threads, on any machine: a program's
 * connections meet as they do on a real one.
 */
const CONFIGURATION = 'threads = 2\nlog = "warn"\n[queue]\nretry = ["1s"]\n';

export async function dev({ ldif, json = false }: DevOptions): Promise<number> {
  const seed = ldif === undefined ? [] : parseLdif(textOf(ldif), RECORDS_MAX);
  return inThrowAway('waypost-dev-', async ({ directory, signal, remove }) => {
    const server = new DevServer(join(directory, 'data'), seed, remove);
    try {
      say(await server.start(), json);
      await (json ? obey(server, signal) : aborted(signal));
    } finally {
      await server.stop();
    }
    return EXIT.done;
  });
}

class DevServer {
  readonly #data: string;
  readonly #seed: readonly DirectoryChange[];
  readonly #remove: () => void;
  #configuration: Configuration;
  #running: RunningServer | undefined;

  constructor(data: string, seed: readonly DirectoryChange[], remove: () => void) {
    this.#data = data;
    this.#seed = seed;
    this.#remove = remove;
    this.#configuration = configure(CONFIGURATION, 'dev', {
      data,
      development: false,
      hostname: HOSTNAME,
      listen: '127.0.0.1',
      portOffset: 'auto',
      log: undefined,
    });
  }

  async start(): Promise<DevReady> {
    const server = await start(this.#configuration, (words) => {
      writeSync(2, `waypost: ${words}\n`);
      this.#remove();
      process.exit(EXIT.ioError);
    });
    this.#running = server;
    const { listeners, hostname } = server;
    const ports = Object.entries(listeners).map(([name, endpoint]) => [name, endpointOf(endpoint).port] as const);
    this.#configuration = { ...this.#configuration, ports: new Map(ports) };
    const adminPassword = readFileSync(adminPasswordPath(this.#data), 'utf8');
    await this.#load(listeners['ldap']!, adminPassword);
    return { event: 'ready', hostname, listeners, data: this.#data, adminDn: ADMINISTRATOR_DN, adminPassword };
  }

  async stop(): Promise<void> {
    const server = this.#running;
    this.#running = undefined;
    await server?.stop();
  }

  /** Certificates stay, so that clients go on trusting this server; all else is as it was at the first start. */
  async reset(): Promise<DevReady> {
    await this.stop();
    for (const name of readdirSync(this.#data))
      if (join(this.#data, name) !== tlsPath(this.#data)) rmSync(join(this.#data, name), { recursive: true });
    return this.start();
  }

  async #load(door: string, password: string): Promise<void> {
    if (this.#seed.length === 0) return;
    const client = await LdapClient.open(endpointOf(door), ADMINISTRATOR_DN, password);
    try {
      for (const change of this.#seed) await client.change(change);
    } finally {
      client.end();
    }
  }
}

/** Until the program that began this one has no more to say. */
async function obey(server: DevServer, signal: AbortSignal): Promise<void> {
  const lines = createInterface({ input: process.stdin });
  signal.addEventListener('abort', () => lines.close(), { once: true });
  for await (const line of lines) {
    if (line !== 'reset') throw new Failure('syntax', 'standard input takes `reset`, a line each');
    say(await server.reset(), true);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

function say(ready: DevReady, json: boolean): void {
  process.stdout.write(json ? `${JSON.stringify(ready)}\n` : panelOf(ready));
}

function panelOf({ hostname, listeners, data, adminDn, adminPassword }: DevReady): string {
  return [
    `Waypost serves as ${hostname} until this ends; then all of it is gone.`,
    '',
    ...Object.entries(listeners).map(([name, endpoint]) => `  ${name.padEnd(12)} ${endpoint}`),
    '',
    `  ${'directory'.padEnd(12)} ${adminDn}, password ${adminPassword}`,
    `  ${'authority'.padEnd(12)} ${join(tlsPath(data), 'ca.pem')}`,
    `  ${'commands'.padEnd(12)} waypost user add ann@acme.example --data ${data}`,
    '',
    'Ctrl-C ends it.',
    '',
  ].join('\n');
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}
