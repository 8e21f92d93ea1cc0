// SCRAM as its users meet it: real clients, at every door; offered when nobody loses by it; keys that come by themselves.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import type { Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { LineConnection } from '../src/demo/clients/line-connection.ts';
import { addDomain, addUser, administrator, replaceAttribute, userDn } from './support/directory.ts';
import { peer } from './support/peers.ts';
import { startWaypost, type Waypost } from './support/server.ts';

const run = promisify(execFile);
const ldapsearch = peer('ldapsearch');
const gsasl = peer('gsasl');
const noScramPlugin = globSync('/usr/lib/*/sasl2/libscram.so*').length === 0;
const cyrus = ldapsearch.skip !== false ? ldapsearch.skip : noScramPlugin && 'libsasl2-modules is not installed';

const ANN = 'ann@acme.example';
const PASSWORD = 'correct horse';

let server: Waypost;
let directory: Client;
before(async () => {
  server = await startWaypost({ config: '[auth]\ndefault-domain = "acme.example"\n' });
  directory = await administrator(server);
  await addDomain(directory, 'acme.example', { objectClass: 'mailDomain' });
  await addUser(directory, ANN, { userPassword: PASSWORD });
});
after(async () => {
  await directory?.unbind();
  await server?.stop();
});

const status = async () => (await new AdminClient(server.data).call('status', {})).scram;

/** What ldapsearch says who reads Ann's entry, bound by SASL. */
async function search(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const common = ['-LLL', '-o', 'nettimeout=20', '-H', `ldap://localhost:${server.listeners.ldap.port}`];
  const { stdout } = await run(ldapsearch.path, [...common, ...args, '-b', userDn(ANN), '-s', 'base', 'mail'], {
    env: { ...process.env, LDAPTLS_CACERT: join(server.data, 'tls/ca.pem'), ...env },
  });
  return stdout;
}

const FOUND = `dn: ${userDn(ANN)}\nmail: ${ANN}\n\n`;

describe('with the clients of others', () => {
  test('ldapsearch binds, also for another name of its own', { skip: cyrus }, async () => {
    const scram = ['-Y', 'SCRAM-SHA-256', '-w', PASSWORD];
    assert.equal(await search([...scram, '-U', ANN]), FOUND);
    assert.equal(await search([...scram, '-U', 'ann']), FOUND);
    assert.equal(await search([...scram, '-U', ANN, '-X', `dn:${userDn(ANN)}`]), FOUND);
    assert.equal(await search([...scram, '-U', ANN, '-X', `u:${ANN}`]), FOUND);
    await assert.rejects(search([...scram, '-U', ANN, '-X', 'u:postmaster']), /Invalid credentials \(49\)/);
    await assert.rejects(search([...scram.slice(0, 2), '-w', 'wrong', '-U', ANN]), /Invalid credentials \(49\)/);
  });

  test('ldapsearch binds to the channel', { skip: cyrus }, async () => {
    const plus = ['-ZZ', '-Y', 'SCRAM-SHA-256-PLUS', '-U', ANN, '-w', PASSWORD];
    assert.equal(await search(plus, { LDAPSASL_CBINDING: 'tls-endpoint' }), FOUND);
  });

  for (const door of ['imap', 'submission'] as const)
    test(`gsasl logs in at ${door}, bound to the channel by tls-exporter`, { skip: gsasl.skip }, async () => {
      const { port } = server.listeners[door];
      const as = ['-a', ANN, '-p', PASSWORD, '--x509-ca-file', join(server.data, 'tls/ca.pem')];
      const protocol = door === 'imap' ? '--imap' : '--smtp';
      const args = [protocol, `--connect=localhost:${port}`, '-m', 'SCRAM-SHA-256-PLUS', ...as];
      const child = run(gsasl.path, args);
      child.child.stdin?.end();
      const { stdout } = await child;
      const first = Buffer.from(/^cD1[\w+/=]+/m.exec(stdout)?.[0] ?? '', 'base64').toString();
      assert.match(first, /^p=tls-exporter,/);
      assert.match(stdout, door === 'imap' ? /^\. OK \[CAPABILITY/m : /^235 2\.7\.0/m);
    });
});

/** SCRAM-SHA-256 by hand: the messages of a client that is told the server's first one. RFC 5802 §3 */
function scramClient(user: string, password: string) {
  const nonce = 'rOprNGfwEbeRWgbNEkqO';
  const bare = `n=${user},r=${nonce}`;
  const mac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  return {
    first: base64(`n,,${bare}`),
    last(challenge: string): string {
      const text = Buffer.from(challenge, 'base64').toString();
      const [, serverNonce, salt, iterations] = /^r=(.+),s=(.+),i=(\d+)$/.exec(text)!;
      const salted = pbkdf2Sync(password, Buffer.from(salt!, 'base64'), Number(iterations), 32, 'sha256');
      const clientKey = mac(salted, 'Client Key');
      const withoutProof = `c=biws,r=${serverNonce}`;
      const message = `${bare},${text},${withoutProof}`;
      const signature = mac(createHash('sha256').update(clientKey).digest(), message);
      this.verifier = base64(`v=${mac(mac(salted, 'Server Key'), message).toString('base64')}`);
      const proof = Buffer.from(clientKey.map((octet, at) => octet ^ signature[at]!)).toString('base64');
      return base64(`${withoutProof},p=${proof}`);
    },
    verifier: '',
  };
}

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** Both ends of a login at a door that carries lines, up to the reply to the empty line; each step is checked. */
async function logIn(door: 'submission' | 'imap' | 'pop3', user: string, password: string): Promise<string> {
  const { host, port } = server.listeners[door];
  const connection = await LineConnection.open(host, port);
  const say = async (line: string) => {
    connection.write(`${line}\r\n`);
    return connection.line();
  };
  try {
    await connection.line();
    const client = scramClient(user, password);
    if (door === 'submission') {
      let line = await say('EHLO x');
      while (line.startsWith('250-')) line = await connection.line();
    }
    const verb = door === 'imap' ? 'a AUTHENTICATE' : 'AUTH';
    const challenge = await say(`${verb} SCRAM-SHA-256 ${client.first}`);
    assert.match(challenge, /^(334 |\+ )/);
    const final = await say(client.last(challenge.replace(/^\S+ /, '')));
    if (!/^(334|\+) /.test(final)) return final;
    assert.equal(final.replace(/^\S+ /, ''), client.verifier);
    return await say('');
  } finally {
    connection.destroy();
  }
}

const WELCOME = { submission: /^235 2\.7\.0 /, imap: /^a OK \[CAPABILITY/, pop3: /^\+OK/ } as const;
const REFUSED = {
  submission: /^535 5\.7\.8 /,
  imap: /^a NO \[AUTHENTICATIONFAILED\]/,
  pop3: /^-ERR \[AUTH\]/,
} as const;

describe('at a door that carries lines', () => {
  for (const door of ['submission', 'imap', 'pop3'] as const)
    test(`${door}: the server's last message is a challenge, and an empty line its answer`, async () => {
      assert.match(await logIn(door, ANN, PASSWORD), WELCOME[door]);
      assert.match(await logIn(door, 'ann', PASSWORD), WELCOME[door]);
      assert.match(await logIn(door, ANN, 'wrong'), REFUSED[door]);
      assert.match(await logIn(door, 'nobody', 'wrong'), REFUSED[door]);
    });
});

/** A connection to imap that has logged in by PLAIN. */
async function byPassword(user: string, password: string): Promise<LineConnection> {
  const { host, port } = server.listeners.imap;
  const connection = await LineConnection.open(host, port);
  await connection.line();
  connection.write(`a LOGIN ${user} "${password}"\r\n`);
  assert.match(await connection.line(), /^a OK/);
  return connection;
}

describe('keys', () => {
  test('come with a password in the clear, and go with it', async () => {
    assert.deepEqual(await status(), { offered: true, without: 0 });
    await replaceAttribute(directory, userDn(ANN), 'userPassword', ['battery staple']);
    assert.match(await logIn('imap', ANN, PASSWORD), REFUSED.imap);
    assert.match(await logIn('imap', ANN, 'battery staple'), WELCOME.imap);
    await replaceAttribute(directory, userDn(ANN), 'userPassword', [PASSWORD]);
  });

  test('come to a password that was hashed elsewhere at its next login, which goes on', async () => {
    const bob = await addUser(directory, 'bob@acme.example');
    assert.deepEqual(await status(), { offered: false, without: 1 });
    assert.match(await logIn('imap', ANN, PASSWORD).catch(String), /The input did not match/);
    const session = await byPassword(bob.login, bob.password);
    try {
      while ((await status()).without > 0) await new Promise((resolve) => setTimeout(resolve, 20));
      assert.deepEqual(await status(), { offered: true, without: 0 });
      session.write('b SELECT INBOX\r\n');
      for (let line = await session.line(); ; line = await session.line()) {
        assert.doesNotMatch(line, /^\* BYE/);
        if (line.startsWith('b ')) {
          assert.match(line, /^b OK/);
          break;
        }
      }
    } finally {
      session.destroy();
    }
    assert.match(await logIn('imap', bob.login, bob.password), WELCOME.imap);
  });

  test('count for no user of an entry that is gone, and for the site postmaster never', async () => {
    await addUser(directory, 'carol@acme.example');
    assert.deepEqual(await status(), { offered: false, without: 1 });
    await directory.del(userDn('carol@acme.example'));
    assert.deepEqual(await status(), { offered: true, without: 0 });
    const postmaster = 'uid=postmaster,ou=Waypost,o=internet';
    await replaceAttribute(directory, postmaster, 'userPassword', ['{SSHA}5EMEN0rxohTjFStdS1vf5+zeMWpQeJll']);
    assert.deepEqual(await status(), { offered: true, without: 0 });
  });
});

test('a name without a domain is one of the virtual server that was asked for, before that of the configuration', async () => {
  await addDomain(directory, 'beta.example', { objectClass: 'mailDomain', waypostServerName: 'mail.beta.example' });
  await addUser(directory, 'ann@beta.example', { userPassword: 'of beta' });
  const { host, port } = server.listeners.imaps;
  const ca = readFileSync(join(server.data, 'tls/ca.pem'));
  const tried = async (servername: string, password: string): Promise<string> => {
    const socket = connectTls({ host, port, ca, servername });
    socket.setEncoding('latin1');
    let received = '';
    socket.on('data', (text: string) => (received += text));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(`a LOGIN ann "${password}"\r\nb LOGOUT\r\n`);
    await closed;
    return /^a .*$/m.exec(received)?.[0] ?? received;
  };
  assert.match(await tried('mail.beta.example', 'of beta'), /^a OK/);
  assert.match(await tried('localhost', PASSWORD), /^a OK/);
  assert.match(await tried('mail.beta.example', PASSWORD), /^a NO/);
});

test('off: no keys are made, by the first start or for a password, and SCRAM is not there', async () => {
  await using other = await startWaypost({ config: '[auth]\nscram = "off"\n' });
  const client = await administrator(other);
  try {
    await addDomain(client, 'acme.example', { objectClass: 'mailDomain' });
    await addUser(client, ANN, { userPassword: PASSWORD });
    const found = await client.search('', { scope: 'base', attributes: ['supportedSASLMechanisms'] });
    assert.deepEqual(found.searchEntries[0]?.['supportedSASLMechanisms'], ['PLAIN', 'LOGIN']);
    for (const dn of ['cn=Directory Manager', userDn(ANN)]) {
      const { searchEntries } = await client.search(dn, { scope: 'base', attributes: ['userPassword'] });
      assert.match(String(searchEntries[0]?.['userPassword']), /^\{ARGON2\}[^,]+,[^,]+,[^,]+$/);
    }
  } finally {
    await client.unbind();
  }
});
