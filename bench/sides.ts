// What is measured: Waypost, and beside it Postfix + Dovecot, twice: as shipped, and with login processes that are reused.
//
// In      how many users
// Out     ports and process ids for the load generators; users u{n}@d{n mod 10}.example with one password everywhere
// Never   touches services of the machine: private instances in temporary directories, gone at the end

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HashGate } from '../src/auth/hash-gate.ts';
import { makeKeys, newSalting } from '../src/auth/scram-keys.ts';
import { freePorts } from '../test/support/free-ports.ts';
import { argon2Hash } from '../test/support/password.ts';
import { startWaypost } from '../test/support/server.ts';
import { generate } from './generate.ts';

export const PASSWORD = 'secret';
export const DOMAINS = 10;
/** Mail from d0.example is signed, by all that sign at all; from this one not. */
export const [SIGNED, UNSIGNED] = ['d0.example', 'unsigned.example'];

export type PeerName = 'shipped' | 'fast' | 'opendkim' | 'slapd';
/** `before`: Waypost of another checkout. */
export type SideName = 'waypost' | 'before' | PeerName;

export interface Side {
  readonly name: SideName;
  readonly smtp: number;
  /** Where accounts send from, with a login; undefined: at the same port, without one. */
  readonly submission?: number;
  /** Mail for sink.example is relayed to this port. Ours has waiting.example too, whose host is never there. */
  readonly sink: number;
  readonly imap: number;
  /** Undefined for a Waypost from before it. */
  readonly imaps: number | undefined;
  readonly pop3: number;
  /** Where there are metrics. */
  readonly http?: number;
  /** Top processes of the server, for its CPU time. */
  readonly pids: string;
  stop(): Promise<void>;
}

/** For ldap-load: u{n}@d{d}.example. With one ready password: hashing is not what is measured. */
export async function mailUser(): Promise<object> {
  return {
    objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser', 'inetLocalMailRecipient'],
    uid: 'u{n}',
    cn: 'User {n}',
    sn: 'Number{n}',
    mail: 'u{n}@d{d}.example',
    userPassword: [argon2Hash(PASSWORD), await makeKeys(Buffer.from(PASSWORD), new HashGate(), newSalting())],
  };
}

/** Waypost on temporary data, this checkout's or that of `program`; its users added over LDAP with one ready password: hashing is not what is measured. */
export async function startOurs(
  users: number,
  program?: string,
): Promise<Side & { readonly ldap: number; readonly addsPerSecond: number }> {
  const [sink, nobody] = await freePorts(2);
  const server = await startWaypost({
    env: { WAYPOST_LOG: 'warn' },
    // The first programs relayed by the configuration alone.
    ...(program === undefined ? {} : { program, config: `[next-hop]\n"sink.example" = "[127.0.0.2]:${sink}"\n` }),
  });
  const { smtp, submission, imap, pop3, ldap, http } = server.listeners;
  const bound = ['--port', ldap.port, '--binddn', 'cn=Directory Manager', '--bindpw', server.ldap.password];
  const add = (count: number, dn: string, attributes: object, extra: readonly (string | number)[]): number => {
    const form = ['--mode', 'add', '--count', count, '--dn', dn, '--attributes', JSON.stringify(attributes)];
    return Number(generate('ldap-load', [...bound, ...form, ...extra])['ops_s']);
  };
  try {
    const domain = { objectClass: ['domain', 'inetDomain', 'mailDomain'], dc: 'd{n}' };
    add(DOMAINS, 'dc=d{n},dc=example,o=internet', domain, ['--conns', 1]);
    const user = await mailUser();
    const dn = 'uid=u{n},ou=People,dc=d{d},dc=example,o=internet';
    const addsPerSecond = add(users, dn, user, ['--conns', 8, '--domains', DOMAINS]);
    const unsigned = (more: object): number =>
      add(1, 'dc=unsigned,dc=example,o=internet', { ...domain, dc: 'unsigned', ...more }, ['--conns', 1]);
    try {
      unsigned({ waypostOmitRecord: 'dkim' });
    } catch (error) {
      if (program === undefined) throw error;
      // It signs nothing.
      unsigned({});
    }
    const mail = `u{n}@${UNSIGNED}`;
    add(1, 'uid=u{n},ou=People,dc=unsigned,dc=example,o=internet', { ...user, mail }, ['--conns', 1]);
    if (program === undefined) {
      const relayed = (dc: string, port: number) =>
        add(1, `dc=${dc},dc=example,o=internet`, { ...domain, dc, mailRoutingSmartHost: `[127.0.0.2]:${port}` }, [
          ...['--conns', 1],
        ]);
      relayed('sink', sink!);
      // Nobody listens there.
      relayed('waiting', nobody!);
      // What waits is not tried again while figures are taken.
      const patient = {
        objectClass: ['waypostChannel'],
        cn: 'smtp',
        waypostChannelKind: 'smtp',
        waypostKeyword: 'backoff 6h',
      };
      add(1, 'cn=smtp,ou=Channels,ou=Waypost,o=internet', patient, ['--conns', 1]);
    }
    return {
      name: program === undefined ? 'waypost' : 'before',
      smtp: smtp.port,
      submission: submission.port,
      sink: sink!,
      imap: imap.port,
      imaps: 'imaps' in server.listeners ? server.listeners.imaps.port : undefined,
      pop3: pop3.port,
      http: http.port,
      ldap: ldap.port,
      pids: String(server.pid),
      addsPerSecond,
      async stop() {
        await server.stop();
      },
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** False, or why Postfix + Dovecot cannot be measured beside us. */
export function peersMissing(): string | false {
  const install =
    'apt-get install -y --no-install-recommends postfix postfix-lmdb dovecot-core dovecot-imapd dovecot-pop3d dovecot-lmtpd';
  if (process.getuid?.() !== 0) return 'Postfix and Dovecot start as root only';
  for (const [program, argument] of [
    ['postconf', '-m'],
    ['dovecot', '--version'],
  ] as const) {
    const answer = spawnSync(program, [argument], { encoding: 'utf8' });
    if (answer.error !== undefined) return `${program} is not installed: ${install}`;
    if (program === 'postconf' && !answer.stdout.includes('lmdb')) return `postfix-lmdb is not installed: ${install}`;
  }
  return false;
}

/** False, or why no signatures of others can be measured. */
export function opendkimMissing(): string | false {
  const isThere = spawnSync('opendkim', ['-V']).error === undefined;
  return isThere ? false : 'opendkim is not installed: apt-get install -y --no-install-recommends opendkim';
}

/** `opendkim`: as shipped, with OpenDKIM before Postfix. `ldap`: Postfix asks the LDAP server of this URL for recipients. */
export async function startPeers(users: number, login: PeerName, ldap?: string): Promise<Side> {
  const directory = mkdtempSync(join(tmpdir(), `waypost-peer-${login}-`));
  const [smtp, imap, imaps, pop3, sink, milter] = await freePorts(6);
  const isSigning = login === 'opendkim';
  const env = {
    ...process.env,
    PEER_DIR: directory,
    PEER_USERS: String(users),
    PEER_DOMAINS: String(DOMAINS),
    PEER_PASSWORD: PASSWORD,
    PEER_LOGIN: isSigning ? 'shipped' : login,
    ...(ldap === undefined ? {} : { PEER_MAP: 'ldap', PEER_LDAP_URI: ldap }),
    PEER_SMTP_PORT: String(smtp),
    PEER_IMAP_PORT: String(imap),
    PEER_IMAPS_PORT: String(imaps),
    PEER_POP3_PORT: String(pop3),
    PEER_SINK_PORT: String(sink),
    ...(isSigning ? { PEER_DKIM_PORT: String(milter), PEER_DKIM_DOMAIN: SIGNED } : {}),
  };
  const script = (name: string): string => join(import.meta.dirname, 'postfix-dovecot', name);
  const state = execFileSync(script('up'), { env, encoding: 'utf8' });
  return {
    name: login,
    smtp: smtp!,
    sink: sink!,
    imap: imap!,
    imaps: imaps!,
    pop3: pop3!,
    pids: /^PEER_PIDS=(.*)$/m.exec(state)?.[1] ?? '',
    async stop() {
      execFileSync(script('down'), { env });
    },
  };
}
