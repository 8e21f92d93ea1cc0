// Somebody else's directory for tests: Debian's slapd with `dc=corp,dc=example`, people below `ou=people`, TLS, and a log of its searches.
//
// In      whether it has syncprov; more lines of its configuration
// Out     where it is; it can be hung (SIGSTOP), killed and started again on the same port and data
// Never   outlives the test process

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, globSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { TestAuthority } from './certificates.ts';
import { freePort, takesConnections } from './free-ports.ts';

export const CORP = 'dc=corp,dc=example';
export const CORP_ADMIN = `cn=admin,${CORP}`;
export const CORP_PASSWORD = 'corp secret';
/** May read, but for hashes. */
export const CORP_READER = `cn=waypost,${CORP}`;

const START_MS = 120_000;
const ENVIRONMENT = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
const MODULES = globSync(['/usr/lib/ldap/back_mdb.so', '/usr/lib/*/ldap/back_mdb.so'])[0];

export interface CorpOptions {
  readonly syncprov?: boolean;
  /** So many deletions syncprov names; without it it names what is left. */
  readonly sessionLog?: number;
  /** In the database's part of slapd.conf. */
  readonly lines?: readonly string[];
  /** Below the suffix, beside it, ou=people, ou=groups and the reader. */
  readonly ldif?: string;
  /** Whether the reader sees userPassword. */
  readonly showsHashes?: boolean;
}

export class CorpSlapd {
  readonly authority = new TestAuthority();
  readonly directory = mkdtempSync(join(tmpdir(), 'corp-slapd-'));
  readonly #configuration = join(this.directory, 'slapd.conf');
  readonly #log = join(this.directory, 'log');
  #child: ChildProcess | undefined;
  port = 0;
  tlsPort = 0;

  private constructor() {}

  static async start(options: CorpOptions = {}): Promise<CorpSlapd> {
    const corp = new CorpSlapd();
    mkdirSync(join(corp.directory, 'db'));
    corp.#configure(options);
    corp.restore(`${BASE}\n${options.ldif ?? ''}`);
    corp.port = await freePort();
    corp.tlsPort = await freePort();
    process.once('exit', () => corp.#child?.kill('SIGKILL'));
    await corp.run();
    return corp;
  }

  get url(): string {
    return `ldap://127.0.0.1:${this.port}`;
  }

  get tlsUrl(): string {
    return `ldaps://127.0.0.1:${this.tlsPort}`;
  }

  get ca(): string {
    return readFileSync(this.authority.file, 'latin1');
  }

  /** Starts it on what it has; resolves when it takes connections. */
  async run(): Promise<void> {
    const log = openSync(this.#log, 'a');
    // With -d it stays in the foreground; 256: a line an operation.
    const child = spawn('slapd', ['-d', '256', '-h', `${this.url} ${this.tlsUrl}`, '-f', this.#configuration], {
      env: ENVIRONMENT,
      stdio: ['ignore', 'ignore', log],
    });
    closeSync(log);
    this.#child = child;
    for (const until = performance.now() + START_MS; !(await takesConnections(this.port, '127.0.0.1')); ) {
      if (child.exitCode !== null || performance.now() > until) throw new Error(`slapd: ${this.log()}`);
      await new Promise((turn) => setTimeout(turn, 50));
    }
  }

  /** Connections are taken, nothing is answered. Resolves when all of its threads have stopped. */
  async hang(): Promise<void> {
    const { pid } = this.#child!;
    this.#child!.kill('SIGSTOP');
    const isStopped = (task: string): boolean => readFileSync(task, 'latin1').split(') ')[1]!.startsWith('T');
    while (!globSync(`/proc/${pid}/task/*/stat`).every(isStopped)) await new Promise((turn) => setTimeout(turn, 10));
  }

  /** It goes on, and answers what it was asked meanwhile. */
  goOn(): void {
    this.#child?.kill('SIGCONT');
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    await ended;
  }

  /** Its data become these and nothing else; it must not run. */
  restore(ldif: string): void {
    rmSync(join(this.directory, 'db'), { recursive: true });
    mkdirSync(join(this.directory, 'db'));
    this.#tool('slapadd', ['-q'], ldif);
  }

  /** All of its data as LDIF. */
  backup(): string {
    return this.#tool('slapcat', [], '');
  }

  /** LDIF change records (or entries, which are added), by its administrator. Throws with the tool's words. */
  change(ldif: string): void {
    const how = ['-x', '-H', this.url, '-D', CORP_ADMIN, '-w', CORP_PASSWORD, '-a'];
    const done = spawnSync('ldapmodify', how, { input: ldif, encoding: 'utf8', env: ENVIRONMENT });
    if (done.status !== 0) throw new Error(`ldapmodify: ${done.stderr}`);
  }

  /** The same, while this process goes on. */
  async changeBeside(ldif: string): Promise<void> {
    const how = ['-x', '-H', this.url, '-D', CORP_ADMIN, '-w', CORP_PASSWORD, '-a'];
    const child = spawn('ldapmodify', how, { env: ENVIRONMENT, stdio: ['pipe', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.stdin.end(ldif);
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`ldapmodify: ${said}`);
  }

  log(): string {
    return readFileSync(this.#log, 'utf8');
  }

  /** Searches below the suffix since it was first started, in its own log. */
  searches(): number {
    return this.log()
      .split('\n')
      .filter((line) => line.includes(` SRCH base="`) && line.includes(CORP)).length;
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #tool(name: string, more: readonly string[], input: string): string {
    const done = spawnSync(name, ['-f', this.#configuration, '-b', CORP, ...more], {
      ...{ input, encoding: 'utf8', env: ENVIRONMENT, maxBuffer: 1024 * 1024 * 1024 },
    });
    if (done.status !== 0) throw new Error(`${name}: ${done.stderr}`);
    return done.stdout;
  }

  #configure({ syncprov = false, sessionLog, lines = [], showsHashes = true }: CorpOptions): void {
    const identity = this.authority.issue('127.0.0.1', 'localhost', 'ldap.corp.example');
    const modules = ['back_mdb', ...(syncprov ? ['syncprov'] : [])].map((name) => `moduleload ${name}`);
    writeFileSync(
      this.#configuration,
      [
        ...['core', 'cosine', 'inetorgperson'].map((name) => `include /etc/ldap/schema/${name}.schema`),
        `pidfile ${this.directory}/slapd.pid`,
        ...(MODULES === undefined ? [] : [`modulepath ${dirname(MODULES)}`, ...modules]),
        `TLSCACertificateFile ${this.authority.file}`,
        `TLSCertificateFile ${identity.certFile}`,
        `TLSCertificateKeyFile ${identity.keyFile}`,
        'sockbuf_max_incoming_auth 33554432',
        'database mdb',
        `suffix "${CORP}"`,
        `rootdn "${CORP_ADMIN}"`,
        `rootpw "${CORP_PASSWORD}"`,
        `directory ${this.directory}/db`,
        'maxsize 1073741824',
        'sizelimit unlimited',
        'dbnosync',
        'index objectClass,entryCSN,entryUUID,mail,uid eq',
        ...lines,
        `access to attrs=userPassword by dn.exact="${CORP_READER}" ${showsHashes ? 'read' : 'auth'} by anonymous auth by * none`,
        'access to * by users read by anonymous auth',
        ...(syncprov ? ['overlay syncprov'] : []),
        ...(sessionLog === undefined ? [] : [`syncprov-sessionlog ${sessionLog}`]),
        '',
      ].join('\n'),
    );
  }
}

const BASE = `dn: ${CORP}
objectClass: dcObject
objectClass: organization
dc: corp
o: Corp

dn: ou=people,${CORP}
objectClass: organizationalUnit
ou: people

dn: ou=groups,${CORP}
objectClass: organizationalUnit
ou: groups

dn: ${CORP_READER}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: waypost
userPassword: ${CORP_PASSWORD}
`;

/** An inetOrgPerson of corp.example as LDIF. */
export function corpPerson(uid: string, more = ''): string {
  return `dn: uid=${uid},ou=people,${CORP}
objectClass: inetOrgPerson
uid: ${uid}
cn: ${uid}
sn: ${uid}
mail: ${uid}@corp.example
${more === '' ? '' : `${more}\n`}
`;
}
