// A private PowerDNS for tests: one port of a loopback address, zones in SQLite in a temporary directory, updates by its keys.
//
// In      zones as text, keys
// Out     where it listens
// Never   reads the system's configuration; outlives its stop()

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TsigKey } from '../../src/wire/dns/tsig.ts';
import { Daemon } from './daemon.ts';
import { freePort } from './free-ports.ts';
import { peer } from './peers.ts';

const SCHEMA = '/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql';

export interface PowerDnsSetup {
  /** The records of each zone. */
  readonly zones: Readonly<Record<string, string>>;
  readonly address?: string;
  readonly port?: number;
  /** Any of them may update and transfer any zone. */
  readonly keys?: readonly TsigKey[];
}

export class PowerDns {
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

  static async start({ zones, address = '127.0.0.1', port: asked, keys = [] }: PowerDnsSetup): Promise<PowerDns> {
    const directory = mkdtempSync(join(tmpdir(), 'waypost-pdns-'));
    const port = asked ?? (await freePort());
    const database = join(directory, 'zones.db');
    const db = new DatabaseSync(database);
    db.exec(readFileSync(SCHEMA, 'utf8'));
    db.close();
    writeFileSync(
      join(directory, 'pdns.conf'),
      `launch=gsqlite3
gsqlite3-database=${database}
local-address=${address}
local-port=${port}
socket-dir=${directory}
daemon=no
guardian=no
dnsupdate=yes
allow-dnsupdate-from=127.0.0.0/8
disable-axfr=no
allow-axfr-ips=
receiver-threads=1
distributor-threads=1
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
consistent-backends=no
setuid=
setgid=
`,
    );
    const pdnsutil = (...words: readonly string[]): void => {
      const { status, stderr } = spawnSync(peer('pdnsutil').path, [`--config-dir=${directory}`, ...words], {
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(`pdnsutil ${words.join(' ')}: ${stderr}`);
    };
    for (const { name, algorithm, secret } of keys)
      pdnsutil('import-tsig-key', name, algorithm, secret.toString('base64'));
    for (const [zone, text] of Object.entries(zones)) {
      writeFileSync(join(directory, zone), text);
      pdnsutil('load-zone', zone, join(directory, zone));
      for (const kind of ['TSIG-ALLOW-DNSUPDATE', 'TSIG-ALLOW-AXFR'])
        if (keys.length > 0) pdnsutil('set-meta', zone, kind, ...keys.map(({ name }) => name));
    }
    const daemon = await Daemon.start(peer('pdns_server').path, [`--config-dir=${directory}`], { address, port });
    return new PowerDns(directory, daemon, { address, port });
  }

  log(): string {
    return this.#daemon.log();
  }

  async stop(): Promise<void> {
    await this.#daemon.stop();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
