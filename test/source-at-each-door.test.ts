// People of another directory at every door: logins by a hash that is seen and by a bind there, lists with members in a cache,
// VRFY; and what each door says while the directory is silent. Debian's slapd without syncprov is asked and hung.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { type Client, Client as LdapClient } from 'ldapts';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { CORP, CORP_PASSWORD, CORP_READER, CorpSlapd } from './support/corp-slapd.ts';
import { addDomain, administrator, domainDn } from './support/directory.ts';
import { Lines } from './support/lines.ts';
import { peersMissing } from './support/peers.ts';
import { type Door, startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const skip = peersMissing('slapd', 'ldapmodify');
const SOURCES = 'ou=Sources,ou=Waypost,o=internet';
/** `secret` */
const SECRET = '{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0';
const MESSAGE = Buffer.from('Subject: x\r\n\r\nx\r\n');

let server: Waypost;
let ldap: Client;
let corp: CorpSlapd;

const dnOf = (uid: string, unit: string): string => `uid=${uid},ou=${unit},${CORP}`;

const person = (uid: string, unit: string, domain: string): string => `dn: ${dnOf(uid, unit)}
objectClass: inetOrgPerson
uid: ${uid}
cn: ${uid}
sn: ${uid}
mail: ${uid}@${domain}
userPassword: ${SECRET}

`;

/** A list of the cache; its class may have `mail` by extensibleObject alone. */
const list = (name: string, objectClass: string, attribute: string, members: readonly string[]): string =>
  `dn: cn=${name},ou=cached,${CORP}
objectClass: ${objectClass}
objectClass: extensibleObject
cn: ${name}
mail: ${name}@cached.example
${members.map((dn) => `${attribute}: ${dn}\n`).join('')}
`;

const MEMBERS = ['m1', 'm2', 'm3', 'm4', 'm5', 'm6'];

before(async () => {
  if (skip !== false) return;
  const people = ['seen', 'known', 'late'].map((uid) => person(uid, 'people', 'corp.example')).join('');
  const cached = ['hidden', 'tried', 'lately', ...MEMBERS]
    .map((uid) => person(uid, 'cached', 'cached.example'))
    .join('');
  const lists = [
    list('named', 'groupOfNames', 'member', [dnOf('m1', 'cached'), dnOf('m2', 'cached')]),
    list('unique', 'groupOfUniqueNames', 'uniqueMember', [dnOf('m3', 'cached'), dnOf('gone', 'cached')]),
  ];
  [server, corp] = await Promise.all([
    startWaypost(),
    CorpSlapd.start({
      ldif: `dn: ou=cached,${CORP}\nobjectClass: organizationalUnit\nou: cached\n\n${people}${cached}${lists.join('')}`,
      lines: [
        `access to dn.subtree="ou=cached,${CORP}" attrs=userPassword by anonymous auth by * none`,
        `access to dn.subtree="ou=cached,${CORP}" by dn.exact="${CORP_READER}" read by * none`,
      ],
    }),
  ]);
  ldap = await administrator(server);
  const common = {
    ...{ objectClass: 'waypostLdapSource', waypostUrl: corp.url, waypostPoll: '1h' },
    ...{ waypostLogin: CORP_READER, waypostSecret: CORP_PASSWORD },
  };
  for (const [name, unit, hold] of [
    ['corp', 'people', 'mirror'],
    ['cached', 'cached', 'cache'],
  ] as const)
    await ldap.add(`cn=${name},${SOURCES}`, {
      ...common,
      waypostBase: `ou=${unit},${CORP}`,
      waypostSourceDomain: `${name}.example`,
      waypostHold: hold,
    });
  await until('corp is mirrored', async () => /^250/.test(await asked('known@corp.example')));
  await addDomain(ldap, 'acme.example');
});
after(async () => {
  await ldap?.unbind();
  await server?.stop();
  corp?.goOn();
  await corp?.stop();
});

/** What RCPT says, or VRFY. */
async function asked(to: string, verb = 'RCPT TO:'): Promise<string> {
  const smtp = await SmtpClient.open(server.listeners.smtp);
  if (verb === 'RCPT TO:') await smtp.command('MAIL FROM:<carol@remote.example>');
  const { code, lines } = await smtp.command(`${verb}<${to}>`);
  await smtp.quit();
  return `${code} ${lines.join(' ')}`;
}

/** A list of ours. */
async function addList(name: string, members: readonly string[]): Promise<void> {
  await ldap.add(`cn=${name},ou=Groups,${domainDn('acme.example')}`, {
    objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
    ...{ cn: name, mail: `${name}@acme.example`, uniqueMember: [...members] },
  });
}

async function lines(door: Door): Promise<Lines> {
  const { host, port } = server.listeners[door];
  return new Lines(connect({ host, port }));
}

type Login = (name: string, password: string) => Promise<string>;

/** What each door says to a name and a password. */
const doors: Record<
  string,
  { readonly login: Login; readonly ok: RegExp; readonly wrong: RegExp; readonly silent: RegExp }
> = {
  'SMTP AUTH': {
    async login(name, password) {
      const smtp = await lines('smtp');
      await smtp.until('220 ');
      await smtp.command('EHLO client.example', '250 ');
      smtp.write(`AUTH PLAIN ${Buffer.from(`\0${name}\0${password}`).toString('base64')}`);
      const said = await smtp.line();
      smtp.close();
      return said;
    },
    ...{ ok: /^235 /, wrong: /^535 5\.7\.8/, silent: /^454 4\.7\.0/ },
  },
  POP3: {
    async login(name, password) {
      const pop3 = await lines('pop3');
      await pop3.line();
      await pop3.command(`USER ${name}`, '+OK');
      pop3.write(`PASS ${password}`);
      const said = await pop3.line();
      pop3.close();
      return said;
    },
    ...{ ok: /^\+OK/, wrong: /^-ERR \[AUTH\]/, silent: /^-ERR \[SYS\/TEMP\]/ },
  },
  IMAP: {
    async login(name, password) {
      try {
        const imap = await ImapClient.login(server.listeners.imap, name, password);
        await imap.logout();
        return 'ok';
      } catch (error) {
        return String((error as Error).message);
      }
    },
    ...{ ok: /^ok$/, wrong: /AUTHENTICATIONFAILED/, silent: /UNAVAILABLE/ },
  },
  HTTP: {
    async login(name, password) {
      const { host, port } = server.listeners.https;
      const headers = { 'content-type': 'application/json' };
      const options = { method: 'POST', host, port, headers, auth: `${name}:${password}`, rejectUnauthorized: false };
      const sent = request({ ...options, path: '/v1/messages' });
      sent.end(JSON.stringify({ from: name, to: [name], text: 'x' }));
      const [answer] = (await once(sent, 'response')) as [IncomingMessage];
      return `${answer.statusCode} ${await text(answer)}`;
    },
    ...{ ok: /^2\d\d /, wrong: /^401 /, silent: /^503 / },
  },
  LDAP: {
    async login(name, password) {
      const [uid, domain] = name.split('@') as [string, string];
      const client = new LdapClient({ url: server.ldap.url });
      try {
        await client.bind(dnOf(uid, domain === 'corp.example' ? 'people' : 'cached'), password);
        return 'ok';
      } catch (error) {
        return String((error as Error).message);
      } finally {
        await client.unbind();
      }
    },
    ...{ ok: /^ok$/, wrong: /0x31/, silent: /0x3[34]/ },
  },
};

for (const [door, { login, ok, wrong }] of Object.entries(doors))
  test(`${door}: who is there logs in, by a hash that is seen and by a bind there; nobody else does`, {
    skip,
  }, async () => {
    for (const name of ['seen@corp.example', 'hidden@cached.example', 'tried@cached.example']) {
      assert.match(await login(name, 'secret'), ok, name);
      assert.match(await login(name, 'guessed'), wrong, name);
    }
    assert.match(await login(`nobody-${door.length}@corp.example`, 'secret'), wrong);
    assert.match(await login(`nobody-${door.length}@cached.example`, 'secret'), wrong);
  });

test('a list there has its members, whom nobody has asked for before; so has one here', { skip }, async () => {
  await addList('ours', [dnOf('m4', 'cached'), dnOf('known', 'people')]);
  for (const address of ['named@cached.example', 'unique@cached.example', 'ours@acme.example']) {
    assert.match(await asked(address), /^250/, address);
    const smtp = await SmtpClient.open(server.listeners.smtp);
    await smtp.send('carol@remote.example', [address], MESSAGE);
    await smtp.quit();
  }
  for (const uid of ['m1', 'm2', 'm3', 'm4']) await hasOne(`${uid}@cached.example`);
  await hasOne('known@corp.example');
});

/** Exactly one message comes, or has come. */
async function hasOne(name: string): Promise<void> {
  const imap = await ImapClient.login(server.listeners.imap, name, 'secret');
  await imap.logout();
  await until(`${name} has it`, async () => (await countOf(name)) > 0);
  assert.equal(await countOf(name), 1, name);
}

async function countOf(name: string): Promise<number> {
  const imap = await ImapClient.login(server.listeners.imap, name, 'secret');
  const count = await imap.count();
  await imap.logout();
  return count;
}

test('VRFY tells nobody of the source from anybody', { skip }, async () => {
  for (const name of ['seen@corp.example', 'nobody@corp.example', 'nobody@cached.example'])
    assert.match(await asked(name, 'VRFY '), /^252 2\.5\.2/);
});

test('while the source is silent: who is known by a hash logs in, all else is temporary at every door', {
  skip,
}, async () => {
  await addList('waits', [dnOf('m5', 'cached'), dnOf('m6', 'cached')]);
  await corp.hang();
  try {
    await Promise.all(
      Object.entries(doors).map(async ([door, { login, ok, silent }]) => {
        assert.match(await login('seen@corp.example', 'secret'), ok, door);
        for (const name of [
          'seen@corp.example guessed',
          'none@corp.example secret',
          'none@cached.example secret',
          'lately@cached.example secret',
        ]) {
          const [address, password] = name.split(' ') as [string, string];
          assert.match(await login(address, password), silent, `${door}: ${name}`);
        }
      }),
    );
    assert.match(await asked('waits@acme.example'), /^451 4\.3\.0/);
    assert.match(await asked('named@cached.example'), /^250/);
    assert.match(await asked('nobody@cached.example', 'VRFY '), /^252 /);
  } finally {
    corp.goOn();
  }
  await until('the list has its members', async () => /^250/.test(await asked('waits@acme.example')));
  assert.match(await doors['POP3']!.login('lately@cached.example', 'secret'), /^\+OK/);
});
