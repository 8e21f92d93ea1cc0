// SCRAM as its users meet it: real clients, at every door; offered when nobody loses by it; keys that come by themselves.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import type { Client } from 'ldapts';
import { AdminClient } from '../src/cli/client.ts';
import { LineConnection } from '../src/demo/clients/line-connection.ts';
import { addDomain, addUser, administrator, replaceAttribute, userDn } from './support/directory.ts';
import { Lines } from './support/lines.ts';
import { peer } from './support/peers.ts';
import { type LineProtocol, logInByScram, ScramClient } from './support/scram-client.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

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
  await addDomain(directory, 'acme.example');
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

type LineDoor = 'submission' | 'submissions' | 'imap' | 'imaps' | 'pop3' | 'pop3s';

const PROTOCOL_OF = {
  submission: 'smtp',
  submissions: 'smtp',
  imap: 'imap',
  imaps: 'imap',
  pop3: 'pop3',
  pop3s: 'pop3',
} as const satisfies Record<LineDoor, LineProtocol>;

/** A login over this stream, and its end: then the next one finds the maildrop free. */
async function converse(stream: Duplex, door: LineDoor, mechanism: string, client: ScramClient): Promise<string> {
  const lines = new Lines(stream);
  const protocol = PROTOCOL_OF[door];
  const said = await logInByScram(lines, { protocol, mechanism }, client);
  lines.write(protocol === 'imap' ? 'z LOGOUT' : 'QUIT');
  while ((await lines.line()) !== '');
  lines.close();
  return said;
}

/** Both ends of a login at a door that carries lines. */
function logIn(door: LineDoor, user: string, password: string, { listeners } = server): Promise<string> {
  const { host, port } = listeners[door];
  return converse(connect({ host, port }), door, 'SCRAM-SHA-256', new ScramClient(user, password));
}

const WELCOME = { smtp: /^235 2\.7\.0 /, imap: /^a OK \[CAPABILITY/, pop3: /^\+OK/ } as const;
const REFUSED = { smtp: /^535 5\.7\.8 /, imap: /^a NO \[AUTHENTICATIONFAILED\]/, pop3: /^-ERR \[AUTH\]/ } as const;

describe('at a door that carries lines', () => {
  for (const door of ['submission', 'imap', 'pop3'] as const) {
    const [welcome, refused] = [WELCOME[PROTOCOL_OF[door]], REFUSED[PROTOCOL_OF[door]]];
    test(`${door}: the server's last message is a challenge, and an empty line its answer`, async () => {
      assert.match(await logIn(door, ANN, PASSWORD), welcome);
      assert.match(await logIn(door, 'ann', PASSWORD), welcome);
      assert.match(await logIn(door, ANN, 'wrong'), refused);
      assert.match(await logIn(door, 'nobody', 'wrong'), refused);
    });
  }

  for (const door of ['submissions', 'imaps', 'pop3s'] as const)
    for (const type of ['tls-exporter', 'tls-server-end-point'] as const)
      test(`${door}: bound to the channel by ${type}, and to no other`, async () => {
        const { host, port } = server.listeners[door];
        const ca = readFileSync(join(server.data, 'tls/ca.pem'));
        const logInBound = async (change: (octets: Buffer) => Buffer = (octets) => octets): Promise<string> => {
          const socket = connectTls({ host, port, ca, servername: 'localhost' });
          await once(socket, 'secureConnect');
          const client = new ScramClient(ANN, PASSWORD, { type, octets: change(channelOf(socket, type)) });
          return converse(socket, door, 'SCRAM-SHA-256-PLUS', client);
        };
        assert.match(await logInBound(), WELCOME[PROTOCOL_OF[door]]);
        assert.match(
          await logInBound((octets) => Buffer.from(octets.map((octet) => octet ^ 1))),
          REFUSED[PROTOCOL_OF[door]],
        );
      });
});

/** RFC 9266 §4; RFC 5929 §4.1: the local certificate is signed with SHA-256. */
function channelOf(socket: TLSSocket, type: 'tls-exporter' | 'tls-server-end-point'): Buffer {
  if (type === 'tls-exporter') return socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0));
  return createHash('sha256').update(socket.getPeerX509Certificate()!.raw).digest();
}

/** A connection to imap that has logged in by PLAIN. */
async function byPassword(user: string, password: string, { listeners } = server): Promise<LineConnection> {
  const { host, port } = listeners.imap;
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
    assert.match(await logIn('imap', ANN, PASSWORD), /^a NO There is no such mechanism/);
    const session = await byPassword(bob.login, bob.password);
    try {
      await until('the keys', async () => (await status()).without === 0);
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
  await addDomain(directory, 'beta.example', { waypostServerName: 'mail.beta.example' });
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
    await addDomain(client, 'acme.example');
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

test('on: offered whoever has no keys, who logs in with the password in the clear, and by SCRAM from then on', async () => {
  await using other = await startWaypost({ config: '[auth]\nscram = "on"\n' });
  const client = await administrator(other);
  const shown = async () => (await new AdminClient(other.data).call('status', {})).scram;
  try {
    await addDomain(client, 'acme.example');
    await addUser(client, ANN, { userPassword: PASSWORD });
    const bob = await addUser(client, 'bob@acme.example');
    assert.deepEqual(await shown(), { offered: true, without: 1 });
    const found = await client.search('', { scope: 'base', attributes: ['supportedSASLMechanisms'] });
    assert.deepEqual(found.searchEntries[0]?.['supportedSASLMechanisms'], ['SCRAM-SHA-256', 'PLAIN', 'LOGIN']);
    for (const door of ['submission', 'imap', 'pop3'] as const) {
      assert.match(await logIn(door, ANN, PASSWORD, other), WELCOME[PROTOCOL_OF[door]]);
      assert.match(await logIn(door, bob.login, bob.password, other), REFUSED[PROTOCOL_OF[door]]);
    }
    (await byPassword(bob.login, bob.password, other)).destroy();
    await until('the keys', async () => (await shown()).without === 0);
    assert.match(await logIn('imap', bob.login, bob.password, other), WELCOME.imap);
  } finally {
    await client.unbind();
  }
});
