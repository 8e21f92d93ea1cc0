// What lines about the directory are measured on: a Waypost with many users, one with few, and beside them slapd with Postfix
// asking it, all with the same users u{n}@d{n mod 10}.example.
//
// Out     ports, data directory, processes
// Limits  100,000 users, 10,000 with --quick, or WAYPOST_BENCH_USERS; the few are 1,000
// Never   touches services of the machine: private instances in temporary directories, gone at the end

import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../test/support/free-ports.ts';
import { startWaypost, type Waypost } from '../test/support/server.ts';
import { generate } from './generate.ts';
import { DOMAINS, PASSWORD, type Side, startPeers } from './sides.ts';

export const USERS = Number(
  process.env['WAYPOST_BENCH_USERS'] ?? (process.argv.includes('--quick') ? 10_000 : 100_000),
);
export const FEW_USERS = 1000;
/** In a domain that mail goes to in no line. */
export const OTHER_USERS = 100;
/** So many addresses are asked for: what the memory of one thread holds for sure. */
const KEYS = Math.min(10_000, USERS);

export interface DirectorySide {
  readonly server: Waypost;
  readonly users: number;
  /** Arguments of ldap-load. */
  readonly bound: readonly (string | number)[];
}

export interface Slapd {
  readonly uri: string;
  readonly pid: number;
  /** postmap's -c, and its map. */
  readonly configuration: string;
  readonly map: string;
  /** Users a second that slapadd -q took. */
  readonly loadedPerSecond: number;
  stop(): void;
}

export interface DirectorySides {
  readonly many: DirectorySide;
  /** Undefined for lines that do without. */
  readonly few: DirectorySide | undefined;
  readonly slapd: Slapd | undefined;
  /** That slapd as the directory of who gets mail: a Waypost that keeps what it has asked for, a Postfix that asks each time. */
  readonly asking: { readonly server: Waypost; readonly postfix: Side } | undefined;
  /** A file of addresses in random order, the same for all. */
  readonly keys: { readonly file: string; readonly count: number };
  stop(): Promise<void>;
}

export const userDn = 'uid=u{n},ou=People,dc=d{d},dc=example,o=internet';
export const otherUserDn = 'uid=o{n},ou=People,dc=other,dc=example,o=internet';

export async function startDirectorySides(wants: {
  readonly few: boolean;
  readonly slapd: boolean;
  readonly asking: boolean;
  readonly say: (text: string) => void;
}): Promise<DirectorySides> {
  const directory = mkdtempSync(join(tmpdir(), 'waypost-bench-'));
  const servers: Waypost[] = [];
  let slapd: Slapd | undefined;
  let postfix: Side | undefined;
  const stop = async (): Promise<void> => {
    await postfix?.stop();
    slapd?.stop();
    for (const server of servers.splice(0)) await server.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  const start = async (users: number): Promise<DirectorySide> => {
    const server = await startWaypost({ env: { WAYPOST_LOG: 'warn' } });
    servers.push(server);
    const began = performance.now();
    const side = fill(server, users);
    wants.say(`${users} users over LDAP: ${Math.round((users / (performance.now() - began)) * 1000)}/s`);
    return side;
  };
  try {
    const many = await start(USERS);
    const few = wants.few ? await start(FEW_USERS) : undefined;
    if (wants.slapd) slapd = await startSlapd(USERS, join(directory, 'postfix'));
    let asking: DirectorySides['asking'];
    if (slapd !== undefined && wants.asking) {
      const server = await startCache(slapd);
      servers.push(server);
      postfix = await startPeers(DOMAINS, 'shipped', slapd.uri);
      asking = { server, postfix };
    }
    const file = join(directory, 'keys');
    writeFileSync(file, keys());
    return { many, few, slapd, asking, keys: { file, count: KEYS }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Nobody is here: who gets mail is asked for at slapd. */
async function startCache({ uri }: Slapd): Promise<Waypost> {
  const server = await startWaypost({ env: { WAYPOST_LOG: 'warn' } });
  try {
    const source = {
      objectClass: 'waypostLdapSource',
      waypostUrl: uri,
      waypostLogin: 'cn=admin,dc=example',
      waypostSecret: PASSWORD,
      waypostBase: 'dc=example',
      waypostHold: 'cache',
      waypostSourceDomain: Array.from({ length: DOMAINS }, (_, d) => `d${d}.example`),
    };
    const bound = ['--port', server.listeners.ldap.port, '--binddn', 'cn=Directory Manager'];
    generate('ldap-load', [
      ...[...bound, '--bindpw', server.ldap.password, '--mode', 'add', '--count', 1, '--conns', 1],
      ...['--dn', 'cn=corp,ou=Sources,ou=Waypost,o=internet', '--attributes', JSON.stringify(source)],
    ]);
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function fill(server: Waypost, users: number): DirectorySide {
  const bound = ['--port', server.listeners.ldap.port, '--binddn', 'cn=Directory Manager'];
  bound.push('--bindpw', server.ldap.password);
  const add = (count: number, dn: string, attributes: object, extra: readonly (string | number)[]): void => {
    const form = ['--mode', 'add', '--count', count, '--dn', dn, '--attributes', JSON.stringify(attributes)];
    generate('ldap-load', [...bound, ...form, ...extra]);
  };
  const domain = { objectClass: ['domain', 'inetDomain', 'mailDomain'] };
  const pipelined = ['--conns', 4, '--depth', 64, '--domains', DOMAINS];
  add(DOMAINS, 'dc=d{n},dc=example,o=internet', { ...domain, dc: 'd{n}' }, ['--conns', 1]);
  add(1, 'dc=other,dc=example,o=internet', { ...domain, dc: 'other' }, ['--conns', 1]);
  add(OTHER_USERS, otherUserDn, user('o{n}', 'o{n}@other.example'), pipelined);
  add(users, userDn, user('u{n}', 'u{n}@d{d}.example'), pipelined);
  return { server, users, bound };
}

function user(uid: string, mail: string): object {
  const objectClass = ['inetOrgPerson', 'inetUser', 'inetMailUser', 'inetLocalMailRecipient'];
  return { objectClass, uid, cn: 'User {n}', sn: 'Number{n}', mail };
}

/** Addresses spread over all users, each once, in an order that is random and always the same. */
function keys(): string {
  const numbers = Array.from({ length: USERS }, (_, n) => n);
  let seed = 99_991;
  for (let at = 0; at < KEYS; at++) {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
    const other = at + (seed % (USERS - at));
    [numbers[at], numbers[other]] = [numbers[other]!, numbers[at]!];
  }
  return numbers
    .slice(0, KEYS)
    .map((n) => `u${n}@d${n % DOMAINS}.example\n`)
    .join('');
}

/** False, or why slapd and Postfix's LDAP maps cannot be measured beside us. */
export function slapdMissing(): string | false {
  const install = 'apt-get install -y --no-install-recommends slapd ldap-utils postfix postfix-ldap';
  if (process.getuid?.() !== 0) return 'postmap reads a configuration of its own for root only';
  for (const [program, argument] of [
    ['slapd', '-VV'],
    ['ldapadd', '-VV'],
    ['postconf', '-m'],
  ] as const) {
    const answer = spawnSync(program, [argument], { encoding: 'utf8' });
    if (answer.error !== undefined) return `${program} is not installed: ${install}`;
    if (program === 'postconf' && !answer.stdout.split('\n').includes('ldap'))
      return `postfix-ldap is not installed: ${install}`;
  }
  return false;
}

/** A new slapd with so many users, and Postfix's map over it, which needs no Postfix that runs. */
export async function startSlapd(users: number, configuration: string, domains = DOMAINS): Promise<Slapd> {
  const env = {
    ...process.env,
    LDAP_PEER_DIR: mkdtempSync(join(tmpdir(), 'waypost-peer-slapd-')),
    PEER_LDAP_PORT: String(await freePort()),
    PEER_DOMAINS: String(domains),
    PEER_PASSWORD: PASSWORD,
  };
  const script = (name: string): string => join(import.meta.dirname, 'slapd', name);
  // Its slapd holds the pipe.
  const said = join(env.LDAP_PEER_DIR, 'said');
  const output = openSync(said, 'w');
  execFileSync(script('up'), [String(users)], { env, stdio: ['ignore', output, 'inherit'] });
  closeSync(output);
  const lines = readFileSync(said, 'utf8');
  const loaded = /(\d+)\/s/.exec(lines);
  const uri = `ldap://127.0.0.1:${env.PEER_LDAP_PORT}`;
  mkdirSync(configuration, { recursive: true });
  // The map of bench/postfix-dovecot/up with PEER_MAP=ldap.
  const map = join(configuration, 'recipients.ldap');
  writeFileSync(
    map,
    `server_host = ${uri}\nversion = 3\nbind = no\nsearch_base = dc=example\nscope = sub\nquery_filter = (mail=%s)\nresult_attribute = mail\n`,
  );
  writeFileSync(join(configuration, 'main.cf'), `compatibility_level = 3.6\nvirtual_mailbox_maps = ldap:${map}\n`);
  return {
    uri,
    pid: Number(/^LDAP_PEER_PID=(\d+)$/m.exec(lines)?.[1]),
    configuration,
    map: `ldap:${map}`,
    loadedPerSecond: Number(loaded?.[1] ?? 0),
    stop: () => void execFileSync(script('down'), { env }),
  };
}

/** The users' LDIF as bench/slapd/up loads it. */
export function ldif(count: number): string {
  const entries: string[] = [];
  for (let n = 0; n < count; n++) {
    const [d, mail] = [n % DOMAINS, `u${n}@d${n % DOMAINS}.example`];
    entries.push(
      [
        `dn: uid=u${n},ou=people,dc=d${d},dc=example`,
        'objectClass: inetOrgPerson\nobjectClass: inetLocalMailRecipient',
        `uid: u${n}\ncn: User ${n}\nsn: Number${n}\ngivenName: User\nmail: ${mail}`,
        `mailLocalAddress: ${mail}\nmailLocalAddress: user.${mail}`,
        `mailHost: store${n % 4}.example\nuserPassword: ${PASSWORD}\n\n`,
      ].join('\n'),
    );
  }
  return entries.join('');
}
