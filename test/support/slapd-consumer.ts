// An OpenLDAP slapd that follows a server by syncrepl, and what it has: for tests of the feed.
//
// In      where the server is, who it binds as, definitions beside OpenLDAP's own as a file that it includes
// Out     its entries as slapcat prints them; ways to cut its connection, to kill it and to start it again
// Between them stands a relay, so that a server which starts again on another port is found, and cuts can be made
// Never   outlives the test process

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort, takesConnections } from './free-ports.ts';
import { startRelay } from './relay.ts';

const ENV = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
const START_MS = 120_000;

export interface SlapdConsumerOptions {
  /** The port of the server now. */
  readonly provider: () => number;
  readonly bindDn: string;
  readonly password: string;
  /** Beside core, cosine and inetorgperson. */
  readonly schema: string;
  /** What it follows, which is its suffix. */
  readonly base?: string;
  readonly type?: 'refreshAndPersist' | 'refreshOnly';
}

/** Attributes by name, their values in order. */
export type Copy = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

export interface SlapdConsumer {
  readonly url: string;
  readonly pid: number;
  /** By DN. */
  entries(): Copy;
  /** Its connections to the provider end. */
  cut(): void;
  kill9(): Promise<void>;
  /** `cookie`: in place of its own, of an option of that name. */
  start(cookie?: string): Promise<void>;
  log(): string;
  stop(): Promise<void>;
}

export async function startSlapdConsumer(options: SlapdConsumerOptions): Promise<SlapdConsumer> {
  const directory = mkdtempSync(join(tmpdir(), 'slapd-follows-'));
  mkdirSync(join(directory, 'db'));
  writeFileSync(join(directory, 'waypost.schema'), options.schema);
  const relay = await startRelay(() => ({ port: options.provider() }));
  const configuration = join(directory, 'slapd.conf');
  writeFileSync(configuration, textOf(directory, relay.port, options));
  const port = await freePort();
  const url = `ldap://127.0.0.1:${port}`;
  let child: ChildProcess;
  let log = '';
  const kill = (): boolean => child.kill('SIGKILL');
  process.once('exit', kill);
  const consumer: SlapdConsumer = {
    url,
    get pid() {
      return child.pid!;
    },
    entries() {
      const cat = spawnSync('slapcat', ['-f', configuration, '-o', 'ldif-wrap=no'], {
        env: ENV,
        encoding: 'utf8',
        maxBuffer: 1 << 30,
      });
      return parseEntries(cat.stdout);
    },
    cut: relay.cut,
    async kill9() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
    async start(cookie) {
      // With -d it stays in the foreground.
      child = spawn(
        'slapd',
        ['-d', 'sync', '-h', url, '-f', configuration, ...(cookie === undefined ? [] : ['-c', cookie])],
        {
          env: ENV,
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
      for (const stream of [child.stdout!, child.stderr!])
        stream.setEncoding('utf8').on('data', (text: string) => {
          log = (log + text).slice(-200_000);
        });
      for (const by = performance.now() + START_MS; !(await takesConnections(port)); ) {
        if (child.exitCode !== null || performance.now() > by) throw new Error(`slapd does not start: ${log}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    log: () => log,
    async stop() {
      await consumer.kill9();
      process.off('exit', kill);
      relay.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  await consumer.start();
  return consumer;
}

function textOf(directory: string, port: number, options: SlapdConsumerOptions): string {
  const { bindDn, password, type, base = 'o=internet' } = options;
  const mdb = globSync(['/usr/lib/ldap/back_mdb.so', '/usr/lib/*/ldap/back_mdb.so'])[0];
  return [
    ...['core', 'cosine', 'inetorgperson'].map((name) => `include /etc/ldap/schema/${name}.schema`),
    `include ${directory}/waypost.schema`,
    `pidfile ${directory}/slapd.pid`,
    ...(mdb === undefined ? [] : [`modulepath ${dirname(mdb)}`, 'moduleload back_mdb']),
    'database mdb',
    `suffix "${base}"`,
    `rootdn "cn=consumer,${base}"`,
    `directory ${directory}/db`,
    'maxsize 1073741824',
    'dbnosync',
    'index objectClass,entryUUID,entryCSN eq',
    `syncrepl rid=001 provider=ldap://127.0.0.1:${port} type=${type ?? 'refreshAndPersist'} interval=00:00:00:01`,
    `  searchbase="${base}" bindmethod=simple binddn="${bindDn}" credentials=${password} retry="1 +"`,
    '',
  ].join('\n');
}

/** Of LDIF whose lines may go on, without its comments. */
export function parseEntries(ldif: string): Copy {
  const entries = new Map<string, Map<string, string[]>>();
  for (const record of ldif.replaceAll('\n ', '').split('\n\n')) {
    const attributes = new Map<string, string[]>();
    let dn = '';
    for (const line of record.split('\n')) {
      const colon = line.indexOf(':');
      if (colon < 0 || line.startsWith('#')) continue;
      const name = line.slice(0, colon);
      const isBase64 = line[colon + 1] === ':';
      const text = line.slice(colon + (isBase64 ? 3 : 2));
      const value = isBase64 ? Buffer.from(text, 'base64').toString('latin1') : text;
      if (name === 'dn') dn = isBase64 ? Buffer.from(text, 'base64').toString() : text;
      else attributes.set(name, [...(attributes.get(name) ?? []), value]);
    }
    for (const values of attributes.values()) values.sort();
    if (dn !== '') entries.set(dn, attributes);
  }
  return entries;
}
