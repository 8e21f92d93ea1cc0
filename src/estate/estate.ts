// `waypost/testing`: a whole mail system for a program's tests, in a process of its own, gone with the one that began it.
//
// In      what the directory has at the start: LDIF, users with their passwords
// Out     where its doors are; remote hosts that the test plays itself; the messages that have come
// How     `waypost dev --json` is the child; the directory is written over LDAP, all else goes over the admin socket
// This half runs on Node 20 and later: it uses nothing that the server brings

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AdminClient } from '../cli/client.ts';
import { ImapClient } from '../demo/clients/imap-client.ts';
import { LdapClient } from '../demo/clients/ldap-client.ts';
import type { ListenerName } from '../server/listeners.ts';
import type { DevReady } from './dev.ts';
import { awaitMessage, type MessageWishes, type ReceivedMessage, receivedMessage } from './received.ts';
import { RemoteHost } from './remote-host.ts';
import type { RemoteHostScript } from './remote-script.ts';
import { listenersOf, type ServerAccess, ServerChild } from './server-child.ts';

export { CLOSE, SILENCE } from './remote-script.ts';

export interface EstateOptions {
  /** The text of an LDIF file: entries and changes, loaded first. */
  readonly ldif?: string;
  /** Address -> password; a domain that is not there is made. */
  readonly users?: Readonly<Record<string, string>>;
}

/** The administrator's password is another one after `reset`. */
export interface TestEstate extends ServerAccess {
  readonly host: string;
  /** Each door by its name. */
  readonly ports: Readonly<Record<ListenerName, number>>;
  /** PEM: the authority of the certificates that its doors show for `localhost`. */
  readonly ca: string;
  /** Mail for this domain comes to a host that the test plays. */
  remoteHost(domain: string, script?: RemoteHostScript): Promise<RemoteHost>;
  /** The first message of the user's INBOX that is as wished. */
  waitForMessage(address: string, wishes?: MessageWishes): Promise<ReceivedMessage>;
  /** The seed again, on the same ports: no mail, no remote hosts. */
  reset(): Promise<void>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** All that changes how mail is sent. */
const EXTENSIONS = ['PIPELINING', 'SIZE 100000000', '8BITMIME', 'SMTPUTF8', 'DSN', 'ENHANCEDSTATUSCODES'];
const PROGRAM = fileURLToPath(new URL('../../waypost', import.meta.url));

export async function createTestEstate(options: EstateOptions = {}): Promise<TestEstate> {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-estate-'));
  try {
    const seed = join(folder, 'seed.ldif');
    writeFileSync(seed, options.ldif ?? '');
    // It ends with its standard input, so it cannot outlive this process.
    const child = new ServerChild([PROGRAM, 'dev', '--json', '--ldif', seed], { stdio: 'pipe' });
    try {
      const estate = new Estate(child, options, await child.ready());
      await estate.addUsers();
      return estate;
    } catch (error) {
      await child.end();
      throw error;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

class Estate implements TestEstate {
  readonly host = '127.0.0.1';
  readonly #child: ServerChild;
  readonly #users: Readonly<Record<string, string>>;
  readonly #tokens = new Map<string, string>();
  readonly #remoteHosts = new Set<RemoteHost>();
  #names = 0;
  #ready: DevReady;

  constructor(child: ServerChild, { users = {} }: EstateOptions, ready: DevReady) {
    this.#child = child;
    this.#users = users;
    this.#ready = ready;
  }

  get hostname(): string {
    return this.#ready.hostname;
  }

  get listeners(): ServerAccess['listeners'] {
    return listenersOf(this.#ready);
  }

  get ports(): TestEstate['ports'] {
    const ports = Object.entries(this.listeners).map(([name, { port }]) => [name, port]);
    return Object.fromEntries(ports) as TestEstate['ports'];
  }

  get ldap(): ServerAccess['ldap'] {
    const { listeners, adminDn: bindDn, adminPassword: password } = this.#ready;
    return { url: `ldap://${listeners['ldap']}`, bindDn, password };
  }

  get ca(): string {
    return readFileSync(join(this.data, 'tls', 'ca.pem'), 'utf8');
  }

  get data(): string {
    return this.#ready.data;
  }

  get #admin(): AdminClient {
    return new AdminClient(this.data);
  }

  async addUsers(): Promise<void> {
    const domains = new Set(Object.keys(this.#users).map((address) => address.slice(address.lastIndexOf('@') + 1)));
    for (const domain of domains)
      await this.#admin.call('domain.add', { domain }).catch((error: unknown) => {
        // The LDIF has it.
        if (!(error instanceof Error && 'kind' in error && error.kind === 'exists')) throw error;
      });
    for (const [address, password] of Object.entries(this.#users))
      await this.#admin.call('user.add', { address, password });
  }

  async remoteHost(domain: string, script: RemoteHostScript = {}): Promise<RemoteHost> {
    const host = await RemoteHost.start({ extensions: EXTENSIONS, ...script }, this.host);
    this.#remoteHosts.add(host);
    const name = `estate-${++this.#names}`;
    const { bindDn, password } = this.ldap;
    const directory = await LdapClient.open(this.listeners.ldap, bindDn, password);
    try {
      await directory.add(`cn=${name},ou=Channels,ou=Waypost,o=internet`, {
        objectClass: ['waypostChannel'],
        cn: [name],
        waypostChannelKind: ['smtp'],
        waypostKeyword: [`daemon ${host.nextHop}`],
      });
      await directory.add(`cn=${name},ou=Rules,ou=Waypost,o=internet`, {
        objectClass: ['waypostRewriteRule'],
        cn: [name],
        waypostPattern: [domain],
        waypostTemplate: [`$U%$D@${name}`],
      });
    } finally {
      directory.end();
    }
    return host;
  }

  async waitForMessage(address: string, wishes: MessageWishes = {}): Promise<ReceivedMessage> {
    const client = await ImapClient.login(this.listeners.imap, address, await this.#tokenOf(address));
    try {
      const look = async () => (await client.fetchAll()).map(({ body }) => receivedMessage(body));
      return await awaitMessage(look, wishes);
    } finally {
      client.destroy();
    }
  }

  async reset(): Promise<void> {
    await this.#closeRemoteHosts();
    this.#tokens.clear();
    this.#child.process.stdin!.write('reset\n');
    this.#ready = await this.#child.ready();
    await this.addUsers();
  }

  async close(): Promise<void> {
    await this.#closeRemoteHosts();
    await this.#child.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #closeRemoteHosts(): Promise<void> {
    await Promise.all([...this.#remoteHosts].map((host) => host.close()));
    this.#remoteHosts.clear();
  }

  /** People of the LDIF have passwords that nobody here knows. */
  async #tokenOf(account: string): Promise<string> {
    const known = this.#tokens.get(account);
    if (known !== undefined) return known;
    const { token } = await this.#admin.call('token.add', { account, name: 'estate', scopes: ['imap'] });
    this.#tokens.set(account, token!);
    return token!;
  }
}
