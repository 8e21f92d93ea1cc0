// A private OpenLDAP slapd for tests: suffix o=internet with its entry, a root DN, strangers see the root DSE and the schema.
//
// In      schema definitions beside OpenLDAP's own, as a file that slapd includes
// Out     where it is; `stop` ends it and removes its directory
// Never   outlives the test process

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort } from '../../support/free-ports.ts';

export interface Slapd {
  readonly url: string;
  readonly admin: string;
  readonly password: string;
  stop(): Promise<void>;
}

/** Below the suffix: slapd takes a root password for no other. */
const ADMIN = 'cn=Directory Manager,o=internet';
const PASSWORD = 'secret';
const START_MS = 120_000;
const PATH = `${process.env['PATH']}:/usr/sbin:/sbin`;

export async function startSlapd({ schema }: { readonly schema?: string } = {}): Promise<Slapd> {
  const directory = mkdtempSync(join(tmpdir(), 'slapd-'));
  mkdirSync(join(directory, 'db'));
  const configuration = join(directory, 'slapd.conf');
  if (schema !== undefined) writeFileSync(join(directory, 'more.schema'), schema);
  writeFileSync(configuration, configurationFor(directory, schema !== undefined));
  const ldif = 'dn: o=internet\nobjectClass: organization\no: internet\n';
  const added = spawnSync('slapadd', ['-q', '-f', configuration], { input: ldif, env: { ...process.env, PATH } });
  if (added.status !== 0) throw new Error(`slapadd: ${added.stderr}`);
  const port = await freePort();
  const url = `ldap://127.0.0.1:${port}`;
  // With -d it stays in the foreground.
  const child = spawn('slapd', ['-d', '0', '-h', url, '-f', configuration], {
    env: { ...process.env, PATH },
    stdio: 'ignore',
  });
  const kill = (): boolean => child.kill('SIGKILL');
  process.once('exit', kill);
  await accepting(port, child);
  return {
    url,
    admin: ADMIN,
    password: PASSWORD,
    async stop() {
      child.kill('SIGTERM');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      process.off('exit', kill);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function configurationFor(directory: string, hasMore: boolean): string {
  const modules = globSync(['/usr/lib/ldap/back_mdb.so', '/usr/lib/*/ldap/back_mdb.so'])[0];
  const schemas = ['core', 'cosine', 'inetorgperson', ...(hasMore ? [] : ['nis'])].map(
    (name) => `include /etc/ldap/schema/${name}.schema`,
  );
  return [
    ...schemas,
    ...(hasMore ? [`include ${directory}/more.schema`] : []),
    `pidfile ${directory}/slapd.pid`,
    ...(modules === undefined ? [] : [`modulepath ${dirname(modules)}`, 'moduleload back_mdb', 'moduleload sssvlv']),
    'access to dn.base="" by * read',
    'access to dn.base="cn=Subschema" by * read',
    'database mdb',
    'suffix "o=internet"',
    `rootdn "${ADMIN}"`,
    `rootpw ${PASSWORD}`,
    `directory ${directory}/db`,
    'maxsize 67108864',
    ...(modules === undefined ? [] : ['overlay sssvlv']),
    'access to attrs=userPassword by self write by anonymous auth',
    'access to * by self read by anonymous auth by * none',
    '',
  ].join('\n');
}

async function accepting(port: number, child: ChildProcess): Promise<void> {
  const until = Date.now() + START_MS;
  for (;;) {
    if (child.exitCode !== null) throw new Error(`slapd ended with ${child.exitCode}`);
    if (Date.now() > until) throw new Error('slapd does not accept connections');
    const socket = connect({ port, host: '127.0.0.1' });
    const opened = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (opened) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
