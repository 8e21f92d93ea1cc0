// The scenes that session files name. Everybody is in the domain acme.example, with the password `secret`.
//
// Waypost   users are removed and added again: a new entry is a new account, so mailboxes are new and UIDs begin at 1
// Another   the users must be there; their INBOX is emptied, UIDs go on

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, NoSuchObjectError } from 'ldapts';
import { AdminClient } from '../../src/cli/client.ts';
import { ImapClient } from '../../src/demo/clients/imap-client.ts';
import type { TokenScope } from '../../src/directory/token.ts';
import type { ServerAccess } from '../../src/estate/server-child.ts';
import {
  addDomain,
  addUser,
  administrator,
  domainDn,
  removeUser,
  replaceAttribute,
  userDn,
} from '../support/directory.ts';
import type { Endpoint } from '../support/server.ts';
import { until } from '../support/until.ts';
import type { Target, User } from './runner/run.ts';

interface Message {
  readonly flags?: string;
  readonly text: string;
}

interface Fixture {
  readonly users: readonly string[];
  /** By name: attributes beside those that every list has. */
  readonly lists?: Readonly<Record<string, Readonly<Record<string, string | string[]>>>>;
  /** Domains without mail, made anew. */
  readonly bare?: readonly string[];
  /** By user: what lies in the INBOX. */
  readonly inbox?: Readonly<Record<string, readonly Message[]>>;
}

function listDn(name: string): string {
  return `cn=${name},ou=Groups,${domainDn('acme.example')}`;
}

const from = 'From: carol@remote.example\r\n';

const FIXTURES: Readonly<Record<string, Fixture>> = {
  // Two users with empty mailboxes.
  acme: { users: ['alice', 'bob'] },
  // alice, and two domains without mail.
  bare: { users: ['alice'], bare: ['quiet.example', 'silent.example'] },
  // alice, bob, and lists: whom they take mail from, and what becomes of it.
  lists: {
    users: ['alice', 'bob'],
    lists: {
      team: {
        uniqueMember: ['alice', 'bob'].map((name) => userDn(`${name}@acme.example`)),
        mgrpAllowedBroadcaster: [listDn('team'), 'mailto:boss@remote.example'],
        mgrpDisallowedDomain: '*.spam.example',
        mgrpMsgMaxSize: '1000',
        mgrpMsgRejectText: 'Ask a member of the team',
      },
      news: { uniqueMember: userDn('bob@acme.example'), mgrpModerator: userDn('alice@acme.example') },
      staff: { uniqueMember: userDn('bob@acme.example'), mgrpBroadcasterPolicy: 'SMTP_AUTH_REQUIRED' },
      secret: { uniqueMember: userDn('bob@acme.example'), mgrpBroadcasterPolicy: 'PASSWORD_REQUIRED' },
      self: { uniqueMember: listDn('self'), mgrpRFC822MailMember: 'self@acme.example' },
      empty: {},
      found: { memberURL: 'ldap:///dc=acme,dc=example,o=internet??sub?(uid=bob)' },
    },
  },
  // alice: messages with UIDs 1..3 of 70, 70 and 72 octets, the 2nd marked \Deleted; bob: nothing.
  'inbox-of-three': {
    users: ['alice', 'bob'],
    inbox: {
      alice: [
        { text: `${from}Subject: message 1\r\n\r\nBody of message 1.\r\n` },
        { flags: '\\Deleted', text: `${from}Subject: message 2\r\n\r\nBody of message 2.\r\n` },
        { text: `${from}Subject: message 3\r\n\r\n.leading dot\r\n.\r\nend\r\n` },
      ],
    },
  },
};

const DOMAIN = 'acme.example';

function named(name: string): Fixture {
  const fixture = FIXTURES[name];
  if (fixture === undefined) throw new Error(`no fixture ${name}; there are ${Object.keys(FIXTURES).join(', ')}`);
  return fixture;
}

async function fill(door: Endpoint, fixture: Fixture, users: Readonly<Record<string, User>>): Promise<void> {
  for (const [name, messages] of Object.entries(fixture.inbox ?? {})) {
    const { login, password } = users[name]!;
    const client = await ImapClient.login(door, login, password);
    for (const { flags, text } of messages) await client.append('INBOX', Buffer.from(text, 'latin1'), flags);
    await client.logout();
  }
}

async function remakeBare(client: Client, domain: string): Promise<void> {
  await client.del(domainDn(domain)).catch((error) => {
    if (!(error instanceof NoSuchObjectError)) throw error;
  });
  const [dc = ''] = domain.split('.');
  await client.add(domainDn(domain), { objectClass: ['domain', 'inetDomain'], dc });
}

/** What waits for a user would come to the one who is added under that name. */
async function emptyQueue(server: ServerAccess): Promise<void> {
  const client = new AdminClient(server.data);
  await until('an empty queue', async () => {
    const rows = await client.call('queue.list', {});
    if (rows.length > 0) await client.call('queue.remove', { ids: rows.map(({ id }) => String(id)) });
    return rows.length === 0;
  });
}

/** The doors and scenes of a running Waypost. */
export function waypostTarget(server: ServerAccess): Target {
  let domainMade = false;
  /** What a session has written to the domain: the next one begins without it. */
  const written = new Set<string>();
  /** Likewise the lists that its fixture has made. */
  const lists = new Set<string>();
  return {
    server: 'waypost',
    hostname: server.hostname,
    doors: server.listeners,
    ca: readFileSync(join(server.data, 'tls/ca.pem'), 'utf8'),
    async write(entry, attribute, value) {
      const client = await administrator(server);
      const nameOf = lists.has(entry) ? listDn(entry) : userDn(`${entry}@${DOMAIN}`);
      const dn = entry.includes('.') ? domainDn(entry) : nameOf;
      if (entry === DOMAIN && attribute !== undefined) written.add(attribute);
      try {
        if (attribute === undefined) await client.del(dn);
        else await replaceAttribute(client, dn, attribute, value === undefined ? [] : [value]);
      } finally {
        await client.unbind();
      }
    },
    async token(user, name, scopes) {
      const client = new AdminClient(server.data);
      const account = `${user}@${DOMAIN}`;
      if (scopes === undefined) {
        await client.call('token.remove', { account, name });
        return '';
      }
      return (await client.call('token.add', { account, name, scopes: scopes.split(',') as TokenScope[] })).token!;
    },
    async fixture(name) {
      const fixture = named(name);
      const client = await administrator(server);
      const users: Record<string, User> = {};
      try {
        if (!domainMade) await addDomain(client, DOMAIN);
        domainMade = true;
        for (const attribute of written) await replaceAttribute(client, domainDn(DOMAIN), attribute, []);
        written.clear();
        for (const domain of fixture.bare ?? []) await remakeBare(client, domain);
        for (const list of lists) await client.del(listDn(list));
        lists.clear();
        for (const user of fixture.users) {
          const address = `${user}@${DOMAIN}`;
          await removeUser(client, address).catch((error) => {
            if (!(error instanceof NoSuchObjectError)) throw error;
          });
        }
        await emptyQueue(server);
        for (const user of fixture.users) users[user] = await addUser(client, `${user}@${DOMAIN}`);
        for (const [list, attributes] of Object.entries(fixture.lists ?? {})) {
          await client.add(listDn(list), {
            objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
            cn: list,
            mail: `${list}@${DOMAIN}`,
            ...attributes,
          });
          lists.add(list);
        }
      } finally {
        await client.unbind();
      }
      if (fixture.inbox !== undefined) await fill(server.listeners.imap, fixture, users);
      return users;
    },
  };
}

/** Another server whose users exist already: mailboxes are emptied and filled over IMAP. */
export function otherTarget(
  server: string,
  hostname: string,
  doors: Readonly<Record<string, Endpoint>>,
  users: Readonly<Record<string, User>>,
): Target {
  return {
    server,
    hostname,
    doors,
    async fixture(name) {
      const fixture = named(name);
      const imap = doors['imap'];
      if (imap === undefined) return users;
      for (const user of fixture.users) {
        const { login, password } = users[user]!;
        const client = await ImapClient.login(imap, login, password);
        await client.command('SELECT INBOX');
        if ((await client.count()) > 0) await client.command('STORE 1:* FLAGS (\\Deleted)');
        await client.command('EXPUNGE');
        await client.logout();
      }
      await fill(imap, fixture, users);
      return users;
    },
  };
}
