// A private BIND 9 for tests: one port of a loopback address, in a temporary directory. As a primary it has zones, open to
// transfers, to updates by its keys, with NOTIFY where it is told; `more` makes it a secondary.
//
// In      zones as text, keys, the port that is notified of changes, further blocks of named.conf
// Out     where it listens
// Never   reads the system's configuration; outlives its stop()

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TsigKey } from '../../src/wire/dns/tsig.ts';
import { Daemon } from './daemon.ts';
import { freePort } from './free-ports.ts';
import { peer } from './peers.ts';

export interface BindSetup {
  /** The records of each zone that it is primary of. */
  readonly zones?: Readonly<Record<string, string>>;
  readonly address?: string;
  /** None: a free one. Given, it can be stopped and started again where others know it. */
  readonly port?: number;
  /** The port of 127.0.0.1 that hears NOTIFY. */
  readonly notified?: number;
  /** Names of zones that nobody may have. */
  readonly refusing?: readonly string[];
  /** Any of them may update any zone; with `signedOnly` a transfer needs one, too. */
  readonly keys?: readonly TsigKey[];
  readonly signedOnly?: boolean;
  /** It answers for others, too: by whom, `more` says. */
  readonly isRecursive?: true;
  /** Statements of `options { }`. */
  readonly options?: string;
  /** Further blocks: zones that it is secondary of, a catalog, the key for a server. */
  readonly more?: string;
}

export class Bind {
  readonly #directory: string;
  readonly #daemon: Daemon;
  readonly address: string;
  readonly port: number;

  private constructor(directory: string, daemon: Daemon, { address, port }: { address: string; port: number }) {
    this.#directory = directory;
    this.#daemon = daemon;
    this.address = address;
    this.port = port;
  }

  static async start(setup: BindSetup): Promise<Bind> {
    const { address = '127.0.0.1', zones = {} } = setup;
    const directory = mkdtempSync(join(tmpdir(), 'waypost-bind-'));
    const port = setup.port ?? (await freePort());
    for (const [zone, text] of Object.entries(zones)) writeFileSync(join(directory, zone), text);
    const configuration = join(directory, 'named.conf');
    writeFileSync(configuration, configurationOf(directory, { ...setup, zones, address, port }));
    const arguments_ = ['-g', '-c', configuration, '-p', String(port), '-n', '1'];
    const daemon = await Daemon.start(peer('named').path, arguments_, { address, port });
    return new Bind(directory, daemon, { address, port });
  }

  get pid(): number {
    return this.#daemon.pid;
  }

  log(): string {
    return this.#daemon.log();
  }

  /** It reads the file again, and says NOTIFY where the serial has risen. Not for a zone that is updated. */
  change(zone: string, text: string): void {
    writeFileSync(join(this.#directory, zone), text);
    this.#daemon.signal('SIGHUP');
  }

  async stop(): Promise<void> {
    await this.#daemon.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function configurationOf(
  directory: string,
  setup: BindSetup & {
    readonly zones: Readonly<Record<string, string>>;
    readonly address: string;
    readonly port: number;
  },
): string {
  const { zones, address, port, notified, refusing = [], keys = [], signedOnly = false } = setup;
  const names = keys.map(({ name }) => `key "${name}";`).join(' ');
  const secrets = keys.map(
    ({ name, algorithm, secret }) =>
      `key "${name}" { algorithm ${algorithm}; secret "${secret.toString('base64')}"; };\n`,
  );
  const blocks = Object.keys(zones).map((zone) => {
    const transfer = refusing.includes(zone) ? 'none;' : signedOnly ? names : 'any;';
    const notify = notified === undefined ? '' : `also-notify { 127.0.0.1 port ${notified}; };`;
    const update = keys.length === 0 ? '' : `allow-update { ${names} };`;
    return `zone "${zone}" { type primary; file "${join(directory, zone)}"; notify explicit; ${notify}
  allow-transfer { ${transfer} }; ${update} };`;
  });
  return `options { directory "${directory}"; listen-on port ${port} { ${address}; }; listen-on-v6 { none; };
  pid-file none; session-keyfile none; lock-file none; recursion ${setup.isRecursive ? 'yes' : 'no'}; dnssec-validation no; notify-delay 0;
  notify-rate 1000; startup-notify-rate 1000; ${setup.options ?? ''} };
controls { };
${secrets.join('')}${blocks.join('\n')}
${setup.more ?? ''}
`;
}
