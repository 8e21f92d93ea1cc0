// The lines of the bench about the directory and the tables that come of it: against slapd, or one figure of our own by another.

import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdminClient } from '../src/cli/client.ts';
import { startWaypost } from '../test/support/server.ts';
import {
  type DirectorySide,
  type DirectorySides,
  FEW_USERS,
  ldif,
  OTHER_USERS,
  otherUserDn,
  startSlapd,
  USERS,
  userDn,
} from './directory-sides.ts';
import { followLag } from './follow-lag.ts';
import { type Figures, generate, generating, outputOf } from './generate.ts';
import type { Measured } from './lines.ts';
import { DOMAINS, mailUser, PASSWORD } from './sides.ts';

export interface DirectoryLine extends Measured {
  readonly ours: (sides: DirectorySides) => Figures | Promise<Figures>;
  /** The same of slapd. */
  readonly theirs?: (sides: DirectorySides) => Figures | Promise<Figures>;
  /** A Waypost with few users, too. */
  readonly needsFew?: true;
  /** slapd as the source: without it the line is left out. */
  readonly needsSource?: true;
}

/** The bar is for 1,000,000 in 1,000 domains; memory as a whole. */
const IMPORTED_USERS = Number(process.env['WAYPOST_BENCH_IMPORT_USERS'] ?? USERS);
const IMPORTED_DOMAINS = Math.max(1, Math.round(IMPORTED_USERS / 1000));
const IMPORT_RESIDENT_MB = 1536;
/** Users that one ldapadd adds. */
const LDIF_USERS = Number(process.env['WAYPOST_BENCH_LDIF_USERS'] ?? Math.min(10_000, USERS));
const RCPT_SECONDS = 4;
/** Of who is asked for at a source. */
const ASKED_USERS = Math.min(10_000, USERS);
const CHANGES_A_SECOND = 10;

function resolved(pass: 'cold' | 'warm', passes: number): DirectoryLine['ours'] {
  return ({ many, keys }) =>
    generate('resolve-load.ts', [
      ...['--data', many.server.data, '--keys', keys.file, '--pass', pass],
      ...['--passes', passes],
    ]);
}

/** From the command to its end: one process, one connection, key after key. */
function postmap({ slapd, keys }: DirectorySides): Figures {
  const { configuration, map } = slapd!;
  const input = openSync(keys.file, 'r');
  const began = performance.now();
  const run = spawnSync('postmap', ['-c', configuration, '-q', '-', map], {
    stdio: [input, 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  const seconds = (performance.now() - began) / 1000;
  closeSync(input);
  const found = run.stdout.split('\n').length - 1;
  if (found !== keys.count) throw new Error(`postmap found ${found} of ${keys.count} keys: ${run.stderr.slice(-500)}`);
  return { keys_s: Math.round(keys.count / seconds), keys: keys.count };
}

/** The command line of this checkout. */
function waypost(side: DirectorySide, args: readonly string[]) {
  const program = join(import.meta.dirname, '..', 'waypost');
  return spawn(program, [...args, '--data', side.server.data], { stdio: ['ignore', 'pipe', 'pipe'] });
}

function writeImported(path: string): void {
  const file = openSync(path, 'w');
  for (let d = 0; d < IMPORTED_DOMAINS; d++)
    writeSync(
      file,
      `dn: dc=i${d},dc=example,o=internet\nobjectClass: domain\nobjectClass: inetDomain\nobjectClass: mailDomain\ndc: i${d}\n\n`,
    );
  for (let n = 0; n < IMPORTED_USERS; n++) {
    const mail = `u${n}@i${n % IMPORTED_DOMAINS}.example`;
    writeSync(
      file,
      [
        `dn: uid=u${n},ou=People,dc=i${n % IMPORTED_DOMAINS},dc=example,o=internet`,
        'objectClass: inetOrgPerson\nobjectClass: inetUser\nobjectClass: inetMailUser\nobjectClass: inetLocalMailRecipient',
        `uid: u${n}\ncn: User ${n}\nsn: Number${n}\ngivenName: User\nmail: ${mail}\nmailAlternateAddress: user.${mail}`,
        'userPassword: {SSHA}5EMEN0rxohTjFStdS1vf5+zeMWpQeJll\n\n',
      ].join('\n'),
    );
  }
  closeSync(file);
}

/** From the command to its end, the program's start included. */
async function fullSynchronization({ many }: DirectorySides): Promise<Figures> {
  const began = performance.now();
  const { status, stdout, stderr } = await outputOf(waypost(many, ['sync', '--full', '--json']));
  const seconds = (performance.now() - began) / 1000;
  if (status !== 0) throw new Error(`sync --full: ${stderr.slice(-500)}`);
  const answer = JSON.parse(stdout) as { differences: number; seconds: number };
  if (answer.differences !== 0) throw new Error(`sync --full: ${answer.differences} rows differed`);
  return { users_s: Math.round(many.users / seconds), users: many.users, seconds, server_seconds: answer.seconds };
}

/** Into a slapd that has the domains and nobody yet: from the command to its end. */
async function ldapadd(): Promise<Figures> {
  const directory = mkdtempSync(join(tmpdir(), 'waypost-bench-'));
  const file = join(directory, 'users.ldif');
  writeFileSync(file, ldif(LDIF_USERS));
  const slapd = await startSlapd(0, join(directory, 'postfix'));
  try {
    const bound = ['-x', '-H', slapd.uri, '-D', 'cn=admin,dc=example', '-w', PASSWORD];
    const began = performance.now();
    const run = spawnSync('ldapadd', [...bound, '-f', file], { encoding: 'utf8', maxBuffer: 1 << 28 });
    const seconds = (performance.now() - began) / 1000;
    const added = run.stdout.split('adding new entry').length - 1;
    if (run.status !== 0 || added !== LDIF_USERS)
      throw new Error(`ldapadd added ${added} of ${LDIF_USERS}: ${run.stderr.slice(-500)}`);
    return { users_s: Math.round(LDIF_USERS / seconds), users: LDIF_USERS, seconds };
  } finally {
    slapd.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Into a server of its own that has nobody: from the command to its end. */
async function importing(): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-bench-'));
  const file = join(folder, 'users.ldif');
  writeImported(file);
  const server = await startWaypost({ env: { WAYPOST_LOG: 'warn' } });
  try {
    const began = performance.now();
    const command = waypost({ server, users: 0, bound: [] }, ['directory', 'import', file, '--continue', '--json']);
    const { status, stdout, stderr } = await outputOf(command);
    const seconds = (performance.now() - began) / 1000;
    const added = status === 0 ? (JSON.parse(stdout) as { added: number }).added : 0;
    if (added !== IMPORTED_USERS + IMPORTED_DOMAINS) throw new Error(`import added ${added}: ${stderr.slice(-500)}`);
    const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'));
    const resident = Math.round(Number(peak![1]) / 1024);
    if (resident > IMPORT_RESIDENT_MB)
      throw new Error(`import took ${resident} MB, ${IMPORT_RESIDENT_MB} are the most`);
    return { users_s: Math.round(IMPORTED_USERS / seconds), users: IMPORTED_USERS, seconds, resident_mb: resident };
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function slapadd(): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-bench-'));
  const slapd = await startSlapd(IMPORTED_USERS, join(folder, 'postfix'), IMPORTED_DOMAINS);
  slapd.stop();
  rmSync(folder, { recursive: true, force: true });
  return { users_s: slapd.loadedPerSecond, users: IMPORTED_USERS };
}

async function rcptBesideImport({ many }: DirectorySides): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-bench-'));
  const file = join(folder, 'users.ldif');
  writeImported(file);
  try {
    await warmUp(many);
    const before = rateOf(await rcpts(many, ['--seconds', RCPT_SECONDS]));
    const command = waypost(many, ['directory', 'import', file, '--existing', 'skip', '--json']);
    const ended = outputOf(command);
    const during = await rcpts(many, ['--while-pid', command.pid!]);
    const { status, stderr } = await ended;
    if (status !== 0) throw new Error(`import: ${stderr.slice(-500)}`);
    const beside = rateOf(during);
    return { ratio: rounded(beside / before), rcpt_s: beside, rcpt_s_before: before, seconds: during['seconds']! };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** RCPT to 10,000 users by 20 connections, 20 a transaction, until what `end` says. */
function rcpts({ server, users }: DirectorySide, end: readonly (string | number)[]): Promise<Figures> {
  return generating('smtp-load', [
    ...['--port', server.listeners.smtp.port, '--tree', server.pid, '--conns', 20, '--rcpt-only', 20],
    ...['--users', Math.min(10_000, users), '--dist', 'random', '--domains', DOMAINS, '--count', 1e9, ...end],
  ]);
}

const rateOf = (figures: Figures): number => Number(figures['rcpt_s']);
const rounded = (value: number): number => Number(value.toFixed(3));

/** Not counted: every thread reads the rows once. */
const warmUp = (side: DirectorySide): Promise<Figures> => rcpts(side, ['--seconds', 2]);

async function rcptBesideChanges({ many }: DirectorySides): Promise<Figures> {
  await warmUp(many);
  const alone = ['--seconds', RCPT_SECONDS];
  const before = rateOf(await rcpts(many, alone));
  const changes = generating('ldap-load', [
    ...[...many.bound, '--mode', 'modify', '--conns', 1, '--rate', CHANGES_A_SECOND],
    ...['--count', CHANGES_A_SECOND * (RCPT_SECONDS + 1), '--dn', otherUserDn, '--users', OTHER_USERS],
    ...['--attributes', JSON.stringify({ mailAlternateAddress: '{r}x{n}@other.example' })],
  ]);
  // A failure is thrown where it is waited for.
  changes.catch(() => {});
  const beside = rateOf(await rcpts(many, alone));
  const { ok } = await changes;
  const after = rateOf(await rcpts(many, alone));
  const without = (before + after) / 2;
  return { ratio: rounded(beside / without), rcpt_s: beside, rcpt_s_without: Math.round(without), changes: ok! };
}

async function rcptBesideSynchronization({ many }: DirectorySides): Promise<Figures> {
  await warmUp(many);
  const before = rateOf(await rcpts(many, ['--seconds', RCPT_SECONDS]));
  const command = waypost(many, ['sync', '--full', '--json']);
  const ended = outputOf(command);
  const during = await rcpts(many, ['--while-pid', command.pid!]);
  const { status, stderr } = await ended;
  if (status !== 0) throw new Error(`sync --full: ${stderr.slice(-500)}`);
  const beside = rateOf(during);
  return { ratio: rounded(beside / before), rcpt_s: beside, rcpt_s_before: before, seconds: during['seconds']! };
}

/** Median milliseconds from a modify of a user's status to its answer, one at a time. Each is a change: no user comes twice. */
function statusChange({ bound, users }: DirectorySide, status: string): number {
  const figures = generate('ldap-load', [
    ...[...bound, '--mode', 'modify', '--conns', 1, '--count', FEW_USERS / 2, '--dn', userDn, '--users', users],
    ...['--domains', DOMAINS, '--attributes', JSON.stringify({ mailUserStatus: status })],
  ]);
  return Number(figures['p50_ms']);
}

function changeAcknowledged({ many, few }: DirectorySides): Figures {
  // By turns, and back to what it was: few, many, many, few.
  const few1 = statusChange(few!, 'overquota');
  const many1 = statusChange(many, 'overquota');
  const many2 = statusChange(many, 'active');
  const few2 = statusChange(few!, 'active');
  const [manyMs, fewMs] = [(many1 + many2) / 2, (few1 + few2) / 2];
  return { ratio: rounded(manyMs / fewMs), many_ms: rounded(manyMs), few_ms: rounded(fewMs) };
}

const SEARCHES = Number(process.env['WAYPOST_BENCH_SEARCHES'] ?? 40_000);

/** By `mail`, 4 connections with 16 in flight each, as the user of the first address. The second run counts: rows are in memory. */
function searches(tree: number, bound: readonly (string | number)[]): Figures {
  const run = (count: number): Figures =>
    generate('ldap-load', [
      ...[...bound, '--mode', 'search', '--conns', 4, '--depth', 16, '--count', count, '--tree', tree],
      ...['--users', USERS, '--domains', DOMAINS],
    ]);
  run(SEARCHES / 4);
  return run(SEARCHES);
}

/** Where the rule of `ldap-search` is, and its caller's password. */
const prepared = new Set<DirectorySide>();

/** The caller reads what a rule of the suffix lets all read, as slapd's access lines do. */
async function waypostSearches({ many }: DirectorySides): Promise<Figures> {
  const { server } = many;
  const caller = 'uid=u0,ou=People,dc=d0,dc=example,o=internet';
  const rule = '(targetattr = "*")(version 3.0; acl "readers"; allow (read, search, compare) userdn = "ldap:///all";)';
  const change = (dn: string, operation: string, attribute: string, value: string): string =>
    `dn: ${dn}\nchangetype: modify\n${operation}: ${attribute}\n${attribute}: ${value}\n`;
  if (!prepared.has(many)) {
    const admin = new AdminClient(server.data);
    await admin.call('directory.change', { ldif: change(caller, 'replace', 'userPassword', PASSWORD) });
    await admin.call('directory.change', { ldif: change('o=internet', 'add', 'aci', rule) });
    prepared.add(many);
  }
  const bound = [
    '--port',
    server.listeners.ldap.port,
    '--base',
    'o=internet',
    '--binddn',
    caller,
    '--bindpw',
    PASSWORD,
  ];
  return searches(server.pid, bound);
}

function slapdSearches({ slapd }: DirectorySides): Figures {
  const { uri, pid } = slapd!;
  const bound = ['--port', new URL(uri).port, '--binddn', 'uid=u0,ou=people,dc=d0,dc=example', '--bindpw', PASSWORD];
  return searches(pid, bound);
}

/** Users that a run of `ldap-add` adds, of no line else. Each connection has so many adds in flight. */
const ADDED_USERS = 4000;
let addedRuns = 0;

/** With a ready password: hashing is not what is measured. */
function added(depth: number, dn: string, attributes: object, bound: readonly (string | number)[]): Figures {
  return generate('ldap-load', [
    ...[...bound, '--mode', 'add', '--conns', 8, '--depth', depth, '--count', ADDED_USERS, '--domains', DOMAINS],
    ...['--offset', ADDED_USERS * addedRuns++, '--dn', dn, '--attributes', JSON.stringify(attributes)],
  ]);
}

async function waypostAdded({ many }: DirectorySides, depth: number): Promise<Figures> {
  const user = { ...(await mailUser()), uid: 'a{n}', mail: 'a{n}@d{d}.example' };
  return added(depth, 'uid=a{n},ou=People,dc=d{d},dc=example,o=internet', user, [
    ...many.bound,
    '--tree',
    many.server.pid,
  ]);
}

function slapdAdded({ slapd }: DirectorySides, depth: number): Figures {
  const { uri, pid } = slapd!;
  const mail = 'a{n}@d{d}.example';
  const user = {
    objectClass: ['inetOrgPerson', 'inetLocalMailRecipient'],
    ...{ uid: 'a{n}', cn: 'User {n}', sn: 'Number{n}', mail, mailLocalAddress: mail, mailHost: 'store0.example' },
    userPassword: '{SSHA}5EMEN0rxohTjFStdS1vf5+zeMWpQeJll',
  };
  const bound = ['--port', new URL(uri).port, '--binddn', 'cn=admin,dc=example', '--bindpw', PASSWORD, '--tree', pid];
  return added(depth, 'uid=a{n},ou=people,dc=d{d},dc=example', user, bound);
}

/** As `rcpts`, of who stands in slapd alone. */
function asked(port: number, tree: string | number, extent: readonly (string | number)[]): Promise<Figures> {
  return generating('smtp-load', [
    ...['--port', port, '--tree', tree, '--conns', 20, '--rcpt-only', 20, '--users', ASKED_USERS],
    ...['--domains', DOMAINS, ...extent],
  ]);
}

const ASKED_AT_RANDOM = ['--dist', 'random', '--count', 1e9, '--seconds', RCPT_SECONDS];
let isCacheWarm = false;

/** Before the first run each user is asked for once, and then every thread meets them. */
async function askedHere({ asking }: DirectorySides): Promise<Figures> {
  const { listeners, pid } = asking!.server;
  const run = (extent: readonly (string | number)[]) => asked(listeners.smtp.port, pid, extent);
  if (!isCacheWarm) {
    await run(['--dist', 'rr', '--count', ASKED_USERS]);
    await run(ASKED_AT_RANDOM);
    isCacheWarm = true;
  }
  return run(ASKED_AT_RANDOM);
}

function askedOfPostfix({ asking }: DirectorySides): Promise<Figures> {
  return asked(asking!.postfix.smtp, asking!.postfix.pids, ASKED_AT_RANDOM);
}

/** The user that is changed is the first of the first domain, on both sides. */
async function waypostFollowed({ many }: DirectorySides): Promise<Figures> {
  const { stdout } = await outputOf(waypost(many, ['directory', 'export', '--schema']));
  const { bindDn, password } = many.server.ldap;
  const base = 'dc=d0,dc=example,o=internet';
  const { port } = many.server.listeners.ldap;
  return followLag({ port, bindDn, password, schema: stdout, base, user: `uid=u0,ou=People,${base}` });
}

function slapdFollowed({ slapd }: DirectorySides): Promise<Figures> {
  const base = 'dc=d0,dc=example';
  const schema = 'include /etc/ldap/schema/misc.schema\n';
  const port = Number(new URL(slapd!.uri).port);
  return followLag({
    port,
    bindDn: 'cn=admin,dc=example',
    password: PASSWORD,
    schema,
    base,
    user: `uid=u0,ou=people,${base}`,
  });
}

export const DIRECTORY_LINES: readonly DirectoryLine[] = [
  {
    name: 'resolve-cold',
    what: 'addresses resolved in one thread, each for the first time; postmap -q - over LDAP maps',
    ours: resolved('cold', 5),
    theirs: postmap,
    figure: 'keys_s',
    unit: 'addresses/s',
    against: ['slapd'],
    bars: { slapd: 4 },
  },
  {
    name: 'resolve-warm',
    what: 'the same, met before',
    ours: resolved('warm', 50),
    theirs: postmap,
    figure: 'keys_s',
    unit: 'addresses/s',
    against: ['slapd'],
    bars: { slapd: 40 },
  },
  {
    name: 'sync-full',
    what: 'waypost sync --full; one ldapadd into slapd',
    ours: fullSynchronization,
    theirs: ldapadd,
    figure: 'users_s',
    unit: 'users/s',
    against: ['slapd'],
    bars: { slapd: 5 },
  },
  {
    name: 'rcpt-changes',
    what: `RCPT rate with ${CHANGES_A_SECOND} changes a second in another domain, by that without`,
    ours: rcptBesideChanges,
    figure: 'ratio',
    unit: 'of it',
    against: [],
    bars: {},
    own: 0.8,
  },
  {
    name: 'rcpt-sync',
    what: 'RCPT rate during a full synchronization, by that before',
    ours: rcptBesideSynchronization,
    figure: 'ratio',
    unit: 'of it',
    against: [],
    bars: {},
    own: 0.5,
  },
  {
    name: 'import',
    what: 'waypost directory import of users with hashes; slapadd -q',
    ours: importing,
    theirs: slapadd,
    figure: 'users_s',
    unit: 'users/s',
    against: ['slapd'],
    bars: { slapd: 0.125 },
  },
  {
    name: 'rcpt-import',
    what: 'RCPT rate during an import, by that before',
    ours: rcptBesideImport,
    figure: 'ratio',
    unit: 'of it',
    against: [],
    bars: {},
    own: 0.5,
  },
  {
    name: 'member',
    what: "the writer's time for one member more in a list of 100,000, by that in one of 10",
    ours: () => generate('member-load.ts', []),
    figure: 'ratio',
    unit: 'times it',
    isCost: true,
    against: [],
    bars: {},
    own: 8,
  },
  {
    name: 'change-ack',
    what: `a change's acknowledgement at ${USERS.toLocaleString('en')} users, by that at ${FEW_USERS.toLocaleString('en')}`,
    ours: changeAcknowledged,
    needsFew: true,
    figure: 'ratio',
    unit: 'times it',
    isCost: true,
    against: [],
    bars: {},
    own: 1.5,
  },
  {
    name: 'ldap-search',
    what: 'processor time of a search by mail, 4 connections x 16, caller under access rules; slapd with its own access lines',
    ours: waypostSearches,
    theirs: slapdSearches,
    figure: 'server_cpu_ms_each',
    unit: 'ms',
    isCost: true,
    against: ['slapd'],
    bars: { slapd: 1 },
  },
  {
    name: 'ldap-add',
    what: 'users with a ready password added over LDAP on 8 connections',
    ours: (sides) => waypostAdded(sides, 1),
    theirs: (sides) => slapdAdded(sides, 1),
    figure: 'ops_s',
    unit: 'users/s',
    against: ['slapd'],
    bars: { slapd: 1.2 },
  },
  {
    name: 'ldap-add-16',
    what: 'the same, 16 in flight on each',
    ours: (sides) => waypostAdded(sides, 16),
    theirs: (sides) => slapdAdded(sides, 16),
    figure: 'ops_s',
    unit: 'users/s',
    against: ['slapd'],
    bars: { slapd: 2 },
  },
  {
    name: 'rcpt-cache',
    what: 'RCPT/s of users whom a cache of slapd has asked for before; Postfix with ldap_table on it',
    ours: askedHere,
    theirs: askedOfPostfix,
    needsSource: true,
    figure: 'rcpt_s',
    unit: 'RCPT/s',
    against: ['slapd'],
    bars: { slapd: 3 },
  },
  {
    name: 'follow-lag',
    what: "from a change's acknowledgement to Debian's slapd that follows; the same behind a slapd provider",
    ours: waypostFollowed,
    theirs: slapdFollowed,
    figure: 'lag_ms',
    unit: 'ms',
    isCost: true,
    against: ['slapd'],
    bars: { slapd: 0.67 },
  },
];
