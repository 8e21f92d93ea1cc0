// Two servers with one directory, and all that stands around them: another host, a resolver, BIND as the secondary of one zone and
// the primary of another, slapd as the source of a domain's people.
//
// In      what the servers' environment has beside the usual (a mutation of the program)
// Out     the servers, their people, who can be logged in as; what was found wrong, in sentences
// Never   outlives its end(): every process that was begun is ended

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Attribute, Change, type Client } from 'ldapts';
import { AdminClient } from '../../src/cli/client.ts';
import { RemoteHost } from '../../src/estate/remote-host.ts';
import { DnsClient } from '../../src/net/dns-client.ts';
import type { TsigKey } from '../../src/wire/dns/tsig.ts';
import { Bind } from '../support/bind.ts';
import { CORP, CORP_PASSWORD, CORP_READER, CorpSlapd, corpPerson } from '../support/corp-slapd.ts';
import { addDomain, addUser, administrator, domainDn, type Person, SUFFIX } from '../support/directory.ts';
import { DnsTestServer } from '../support/dns-server.ts';
import { freePort } from '../support/free-ports.ts';
import { startWaypost, type Waypost } from '../support/server.ts';
import { until } from '../support/until.ts';
import { Ledger } from './ledger.ts';

export const DOMAIN = 'acme.example';
export const REMOTE = 'remote.example';
export const SOURCE_DOMAIN = 'corp.example';
export const PUBLISHED_ZONE = 'pub.example';
const [MX1, MX2] = ['mx1.hosts.example', 'mx2.hosts.example'] as const;
/** Of this process alone: mail goes between the two by address. */
const SECOND_ADDRESS = `127.${64 + (process.pid % 128)}.${(process.pid >> 7) % 256}.3`;
const CORP_PEOPLE = 20;
/** {SSHA} of `secret`. */
const SSHA = 'userPassword: {SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0';
const UPDATE_KEY: TsigKey = {
  name: 'update.example',
  algorithm: 'hmac-sha256',
  secret: Buffer.from('a secret of thirty-two octets...'),
};
const SENTENCES_MAX = 60;

export type ServerName = 'mx1' | 'mx2';

export interface People {
  /** Of mx1: mailboxes that POP3 empties, that IMAP changes and empties, and who sends to other hosts. */
  readonly popReaders: readonly Person[];
  readonly imapReaders: readonly Person[];
  readonly submitters: readonly Person[];
  /** Whose mailboxes mx2 has. */
  readonly ofSecond: readonly Person[];
  /** The source's, who log in by the hashes that are there. */
  readonly ofSource: readonly Person[];
}

interface WorldParts
  extends Pick<World, 'servers' | 'names' | 'sink' | 'bind' | 'corp' | 'people' | 'random' | 'token'> {
  /** What is written here goes with the world. */
  readonly folder: string;
}

export class World {
  readonly servers: Readonly<Record<ServerName, Waypost>>;
  readonly names: DnsTestServer;
  readonly sink: RemoteHost;
  readonly bind: Bind;
  readonly corp: CorpSlapd;
  readonly people: People;
  readonly dns = new DnsClient({ timeoutMs: 2000 });
  readonly random: () => number;
  readonly ledger: Ledger;
  /** For /v1 at mx1. */
  readonly token: string;
  readonly problems: string[] = [];
  /** Beyond those that are kept. */
  problemsCount = 0;
  readonly #folder: string;
  #numbers = 0;

  constructor(parts: WorldParts) {
    this.servers = parts.servers;
    this.names = parts.names;
    this.sink = parts.sink;
    this.bind = parts.bind;
    this.corp = parts.corp;
    this.people = parts.people;
    this.random = parts.random;
    this.token = parts.token;
    this.#folder = parts.folder;
    const relayed = new Set(parts.people.ofSecond.map(({ login }) => login));
    this.ledger = new Ledger(relayed, (sentence) => this.problem(sentence));
  }

  get mx1(): Waypost {
    return this.servers.mx1;
  }

  get mx2(): Waypost {
    return this.servers.mx2;
  }

  /** Another one each time. */
  readonly next = (): number => ++this.#numbers;

  readonly one = <T>(of: readonly T[]): T => of[Math.floor(this.random() * of.length)]!;

  problem(sentence: string): void {
    if (++this.problemsCount <= SENTENCES_MAX) this.problems.push(sentence);
  }

  /** A connection of the administrator; at mx2 there is no file of the password. */
  administrator(server: Waypost): Promise<Client> {
    const { password } = this.mx1.ldap;
    const { hostname, listeners, data } = server;
    const { url, bindDn } = {
      url: `ldap://${listeners.ldap.host}:${listeners.ldap.port}`,
      bindDn: this.mx1.ldap.bindDn,
    };
    return administrator({ hostname, listeners, data, ldap: { url, bindDn, password } });
  }

  async withAdministrator<T>(server: Waypost, work: (client: Client) => Promise<T>): Promise<T> {
    const client = await this.administrator(server);
    try {
      return await work(client);
    } finally {
      await client.unbind().catch(() => {});
    }
  }

  /** Exit codes of both servers. */
  async end(): Promise<readonly (number | null)[]> {
    this.dns.close();
    const exits = await Promise.all([this.mx2.stop(), this.mx1.stop()]);
    await Promise.all([this.sink.close(), this.bind.stop(), this.corp.stop(), this.names.close()]);
    rmSync(this.#folder, { recursive: true, force: true });
    return exits.map(({ code }) => code);
  }
}

export async function beginWorld(random: () => number, env: Readonly<Record<string, string>>): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-soak-'));
  const ends: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  try {
    return await begin(random, { folder, env, ends });
  } catch (error) {
    for (const end of ends.toReversed()) await end();
    throw error;
  }
}

interface Beginning {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** What has been begun so far, by how it ends. */
  readonly ends: (() => unknown)[];
}

async function begin(random: () => number, { folder, env, ends }: Beginning): Promise<World> {
  const kept = <T>(thing: T, end: () => unknown): T => {
    ends.push(end);
    return thing;
  };
  const names = await DnsTestServer.start();
  kept(names, () => names.close());
  names.addresses(MX1, '127.0.0.1');
  const sink = await RemoteHost.start();
  kept(sink, () => sink.close());
  const usual = `threads = 2
resolver = ["${names.server}"]
[next-hop]
"${REMOTE}" = "${sink.nextHop}"
[queue]
retry = ["1s", "2s", "5s"]
expire = "1d"
`;
  const started = { switches: {}, env: { ...env, WAYPOST_LOG: 'warn', WAYPOST_HOSTNAME: MX1 } };
  const mx1 = await startWaypost({ ...started, config: usual });
  kept(mx1, () => mx1.stop());
  const corp = await CorpSlapd.start({
    syncprov: true,
    ldif: Array.from({ length: CORP_PEOPLE }, (_, i) => corpPerson(`u${i}`, SSHA)).join(''),
  });
  kept(corp, () => corp.stop());
  const admin = new AdminClient(mx1.data);
  const { password } = await admin.call('host.add', { name: MX2 });
  writeFileSync(join(folder, 'password'), password!);
  const { token } = await admin.call('token.add', { name: 'soak', scopes: ['api'] });
  const ldap = await administrator(mx1);
  await addDomain(ldap, DOMAIN);
  const bindPort = await freePort();
  await addNameServers(ldap, bindPort);
  await addSource(ldap, corp);
  const add = (letter: string, count: number, more: Record<string, string> = {}): Promise<Person[]> =>
    Promise.all(Array.from({ length: count }, (_, i) => addUser(ldap, `${letter}${i}@${DOMAIN}`, more)));
  const people: People = {
    popReaders: await add('r', 6),
    imapReaders: await add('f', 4),
    submitters: await add('s', 5),
    ofSecond: await add('x', 3, { mailHost: MX2 }),
    ofSource: Array.from({ length: CORP_PEOPLE }, (_, i) => ({ login: `u${i}@${SOURCE_DOMAIN}`, password: 'secret' })),
  };
  const bind = await startBind(mx1, bindPort);
  kept(bind, () => bind.stop());
  const provider = `[tls]
outgoing-ca = "${join(mx1.data, 'tls/ca.pem')}"
[directory]
provider = "ldaps://${MX1}:${mx1.listeners.ldaps.port}"
password-file = "${join(folder, 'password')}"
`;
  const second = { ...started.env, WAYPOST_HOSTNAME: MX2, WAYPOST_LISTEN: SECOND_ADDRESS };
  const mx2 = await startWaypost({ ...started, env: second, config: `${usual}${provider}` });
  kept(mx2, () => mx2.stop());
  await Promise.all([tellPort(ldap, mx1), tellPort(ldap, mx2)]);
  await ldap.unbind();
  const current = async (): Promise<boolean> =>
    (await admin.call('sync.status', {})).sources.some(({ state }) => state === 'current');
  await until('the source', current);
  return new World({ servers: { mx1, mx2 }, names, sink, bind, corp, people, random, token: token!, folder });
}

/** One BIND is both: it has our zone, and we write into its own. */
async function addNameServers(ldap: Client, port: number): Promise<void> {
  const above = `ou=Hosts,ou=Waypost,${SUFFIX}`;
  const address = `127.0.0.1:${port}`;
  await ldap.add(`cn=secondary,${above}`, {
    objectClass: 'waypostNameServer',
    waypostNameServerRole: 'secondary',
    waypostNameServerAddress: address,
  });
  await ldap.add(`cn=primary,${above}`, {
    objectClass: 'waypostNameServer',
    waypostNameServerRole: 'primary',
    waypostNameServerAddress: address,
    waypostZone: PUBLISHED_ZONE,
    waypostTsigName: UPDATE_KEY.name,
    waypostTsigSecret: UPDATE_KEY.secret.toString('base64'),
    waypostWatchAddress: address,
  });
}

async function addSource(ldap: Client, corp: CorpSlapd): Promise<void> {
  await ldap.add(`cn=corp,ou=Sources,ou=Waypost,${SUFFIX}`, {
    objectClass: 'waypostLdapSource',
    waypostUrl: corp.url,
    waypostLogin: CORP_READER,
    waypostSecret: CORP_PASSWORD,
    waypostBase: CORP,
    waypostSourceDomain: SOURCE_DOMAIN,
  });
}

function startBind({ listeners }: Waypost, port: number): Promise<Bind> {
  // It hears of changes by NOTIFY alone; a transfer that a thread's end has broken is tried again soon.
  const ours = `zone "${DOMAIN}" { type secondary; file "ours.db"; masterfile-format text; min-retry-time 1; max-retry-time 2;
    primaries { 127.0.0.1 port ${listeners.dns.port}; }; };`;
  const text = `$TTL 300
$ORIGIN ${PUBLISHED_ZONE}.
@ IN SOA ns.${PUBLISHED_ZONE}. hostmaster.${PUBLISHED_ZONE}. 1 3600 600 86400 300
@ IN NS ns.${PUBLISHED_ZONE}.
ns IN A 127.0.0.1
`;
  return Bind.start({ port, zones: { [PUBLISHED_ZONE]: text }, keys: [UPDATE_KEY], more: ours });
}

/** Its SMTP listener has a free port. */
async function tellPort(ldap: Client, { hostname, listeners }: Waypost): Promise<void> {
  const modification = new Attribute({ type: 'waypostHostPort', values: [String(listeners.smtp.port)] });
  const dn = `cn=${hostname},ou=Hosts,ou=Waypost,${SUFFIX}`;
  await ldap.modify(dn, new Change({ operation: 'replace', modification }));
}

export const zoneEntryDn = (name: string): string => `dc=${name},${domainDn(DOMAIN)}`;

export const authorityOf = ({ data }: Waypost): string => readFileSync(join(data, 'tls', 'ca.pem'), 'utf8');
