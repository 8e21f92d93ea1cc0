// A private Knot DNS for tests: one port of a loopback address, in a temporary directory. As a primary it has zones, open to
// transfers and to updates by its keys; `more` makes it a secondary.
//
// In      zones as text, keys, further sections of knot.conf
// Out     where it listens
// Never   reads the system's configuration; outlives its stop()

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TsigKey } from '../../src/wire/dns/tsig.ts';
import { Daemon } from './daemon.ts';
import { freePort } from './free-ports.ts';
import { peer } from './peers.ts';

export interface KnotSetup {
  /** The records of each zone that it is primary of. */
  readonly zones?: Readonly<Record<string, string>>;
  readonly address?: string;
  /** None: a free one. Given, it can be stopped and started again where others know it. */
  readonly port?: number;
  /** Any of them may update and transfer any zone. Without a key anybody of loopback may transfer. */
  readonly keys?: readonly TsigKey[];
  /** Further sections, before the zones: remotes, access rules, templates. */
  readonly more?: string;
  /** Further zones: items of the section `zone`. */
  readonly moreZones?: string;
}

export class Knot {
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

  static async start(setup: KnotSetup): Promise<Knot> {
    const { address = '127.0.0.1', zones = {} } = setup;
    const directory = mkdtempSync(join(tmpdir(), 'waypost-knot-'));
    const port = setup.port ?? (await freePort());
    for (const [zone, text] of Object.entries(zones)) writeFileSync(join(directory, `${zone}.zone`), text);
    const configuration = join(directory, 'knot.conf');
    writeFileSync(configuration, configurationOf(directory, { ...setup, zones, address, port }));
    const daemon = await Daemon.start(peer('knotd').path, ['-c', configuration], { address, port });
    return new Knot(directory, daemon, { address, port });
  }

  log(): string {
    return this.#daemon.log();
  }

  async stop(): Promise<void> {
    await this.#daemon.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function configurationOf(
  directory: string,
  setup: KnotSetup & {
    readonly zones: Readonly<Record<string, string>>;
    readonly address: string;
    readonly port: number;
  },
): string {
  const { zones, address, port, keys = [] } = setup;
  const secrets = keys.map(
    ({ name, algorithm, secret }) =>
      `  - id: ${name}\n    algorithm: ${algorithm}\n    secret: ${secret.toString('base64')}\n`,
  );
  const who = keys.length > 0 ? `key: [${keys.map(({ name }) => name).join(', ')}]` : 'address: 127.0.0.0/8';
  const actions = keys.length > 0 ? '[transfer, update]' : '[transfer]';
  const items = Object.keys(zones).map((zone) => `  - domain: ${zone}\n    file: ${zone}.zone\n    acl: peers\n`);
  return `server:
  rundir: ${directory}
  listen: ${address}@${port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: info
database:
  storage: ${directory}
${secrets.length > 0 ? `key:\n${secrets.join('')}` : ''}acl:
  - id: peers
    ${who}
    action: ${actions}
${setup.more ?? ''}
template:
  - id: default
    storage: ${directory}
    journal-content: all
    zonefile-sync: -1
    zonefile-load: difference-no-serial
zone:
${items.join('')}${setup.moreZones ?? ''}
`;
}
