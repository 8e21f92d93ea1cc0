// Foreign programs and abilities of the machine that a test needs: where they are, or why the test is skipped.
//
// With CI=true a missing one is an error, so that a green run cannot be one that tested nothing.

import { spawnSync } from 'node:child_process';
import { accessSync, constants, globSync, mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Debian's package of each program the tests know. */
const PACKAGES = {
  swaks: 'swaks',
  ldapadd: 'ldap-utils',
  ldapsearch: 'ldap-utils',
  ldapmodify: 'ldap-utils',
  ldapdelete: 'ldap-utils',
  slapd: 'slapd',
  dig: 'bind9-dnsutils',
  nsupdate: 'bind9-dnsutils',
  kdig: 'knot-dnsutils',
  knotd: 'knot',
  pdns_server: 'pdns-server',
  pdnsutil: 'pdns-server',
  dnsperf: 'dnsperf',
  curl: 'curl',
  mbsync: 'isync',
  offlineimap: 'offlineimap3',
  neomutt: 'neomutt',
  tmux: 'tmux',
  python3: 'python3',
  strace: 'strace',
  gcc: 'gcc',
  openssl: 'openssl',
  gsasl: 'gsasl',
  msmtp: 'msmtp',
  fetchmail: 'fetchmail',
  getmail: 'getmail6',
  haproxy: 'haproxy',
  postfix: 'postfix',
  postmap: 'postfix',
  postconf: 'postfix',
  ldapvi: 'ldapvi',
  dovecot: 'dovecot-core',
  script: 'bsdutils',
  named: 'bind9',
  sssd: 'sssd-ldap',
  sss_cache: 'sssd-ldap',
  pamtester: 'pamtester',
  unshare: 'util-linux',
  nsenter: 'util-linux',
} as const;

export type PeerName = keyof typeof PACKAGES;

/** `path` when it is there; else `skip`, made for node:test's option of that name: `test('...', { skip: p.skip }, ...)`. */
export interface Peer {
  readonly path: string;
  readonly skip: string | false;
}

export function peer(name: PeerName): Peer {
  for (const folder of [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin']) {
    if (folder === '') continue;
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return { path, skip: false };
    } catch {
      // Not in this folder.
    }
  }
  return missing(`${name} is not installed (apt-get install ${PACKAGES[name]})`);
}

/** Several at once: the first reason to skip, or false. */
export function peersMissing(...names: readonly PeerName[]): string | false {
  for (const name of names) {
    const { skip } = peer(name);
    if (skip !== false) return skip;
  }
  return false;
}

/** Whether swaks can speak TLS, for which Perl needs a module: false, or the reason why not. */
export function swaksTlsMissing(): string | false {
  const swaks = peer('swaks');
  if (swaks.skip !== false) return swaks.skip;
  const { status } = spawnSync('perl', ['-MNet::SSLeay', '-e', '1']);
  return status === 0 ? false : missing('swaks has no TLS (apt-get install libnet-ssleay-perl)').skip;
}

/** Whether Perl has the other implementation of the Sender Rewriting Scheme: false, or the reason why not. */
export function srsMissing(): string | false {
  const { status } = spawnSync('perl', ['-MMail::SRS', '-e', '1']);
  return status === 0 ? false : missing('Mail::SRS is not installed (apt-get install libmail-srs-perl)').skip;
}

/** Whether PowerDNS can keep its zones in SQLite, a package of its own: false, or the reason why not. */
export function powerDnsMissing(): string | false {
  const server = peersMissing('pdns_server', 'pdnsutil');
  if (server !== false) return server;
  const found = globSync('/usr/lib/*/pdns/libgsqlite3backend.so').length > 0;
  return found ? false : missing('PowerDNS has no SQLite (apt-get install pdns-backend-sqlite3)').skip;
}

/** Whether Postfix looks up in LDAP, by a plug-in: false, or the reason why not. */
export function postfixLdapMissing(): string | false {
  const { skip } = peer('postmap');
  if (skip !== false) return skip;
  if (process.getuid?.() !== 0) return missing('postmap reads a configuration of its own for root only').skip;
  const { stdout } = spawnSync(peer('postconf').path, ['-m'], { encoding: 'utf8' });
  return stdout.split('\n').includes('ldap') ? false : missing('no LDAP maps (apt-get install postfix-ldap)').skip;
}

/** Whether Dovecot looks up in LDAP: false, or the reason why not. */
export function dovecotLdapMissing(): string | false {
  const { skip } = peer('dovecot');
  if (skip !== false) return skip;
  if (process.getuid?.() !== 0) return missing('a Dovecot of our own needs root').skip;
  const found = globSync('/usr/lib/dovecot/modules/auth/libauthdb_ldap.so').length > 0;
  return found ? false : missing('Dovecot has no LDAP (apt-get install dovecot-ldap)').skip;
}

/** Debian's own Python, the one with its packages, where it has the verifier of DKIM and Ed25519 for it. */
export function dkimPython(): Peer {
  const path = '/usr/bin/python3';
  if (spawnSync(path, ['-c', 'import dkim, nacl']).status === 0) return { path, skip: false };
  return missing('dkimpy is not installed (apt-get install python3-dkim python3-nacl)');
}

/** Whether Perl has the verifier of DKIM: false, or the reason why not. */
export function mailDkimMissing(): string | false {
  const { status } = spawnSync('perl', ['-MMail::DKIM::Verifier', '-e', '1']);
  return status === 0 ? false : missing('Mail::DKIM is not installed (apt-get install libmail-dkim-perl)').skip;
}

/** Whether a small file system of our own can be mounted (root, and not in every container): false, or the reason why not. */
export function tmpfsMissing(): string | false {
  if (process.platform !== 'linux') return missing('a tmpfs of our own needs Linux').skip;
  if (process.getuid?.() !== 0) return missing('mounting a tmpfs needs root').skip;
  const folder = mkdtempSync(join(tmpdir(), 'waypost-mount-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { encoding: 'utf8' });
  if (mounted.status === 0) spawnSync('umount', [folder]);
  rmdirSync(folder);
  return mounted.status === 0 ? false : missing(`no tmpfs can be mounted: ${mounted.stderr.trim()}`).skip;
}

/** Whether system calls of a process can be traced and made to fail: false, or the reason why not. */
export function traceMissing(): string | false {
  const strace = peer('strace');
  if (strace.skip !== false) return strace.skip;
  const traced = spawnSync(strace.path, ['-o', '/dev/null', 'true'], { encoding: 'utf8' });
  return traced.status === 0 ? false : missing(`strace cannot trace here: ${traced.stderr.trim().split('\n')[0]}`).skip;
}

function missing(reason: string): Peer {
  if (process.env['CI'] === 'true') throw new Error(`CI=true: ${reason}`);
  return { path: '', skip: reason };
}
