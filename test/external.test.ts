// EXTERNAL as its users meet it: who has a certificate of an authority that the server trusts needs no password.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { type Identity, TestAuthority } from './support/certificates.ts';
import { administrator, populate, replaceAttribute, userDn } from './support/directory.ts';
import { Lines } from './support/lines.ts';
import { peer } from './support/peers.ts';
import { type Door, startWaypost, type Waypost } from './support/server.ts';

const run = promisify(execFile);
const openssl = peer('openssl');
const ldapsearch = peer('ldapsearch');
const ANN = 'ann@acme.example';

let server: Waypost;
let people: TestAuthority;
before(async () => {
  if (openssl.skip !== false) return;
  people = new TestAuthority();
  server = await startWaypost({ config: `[tls]\nclient-ca = ${JSON.stringify(people.file)}\n` });
  await populate(server, 'acme.example', ['ann', 'bob']);
});
after(() => server?.stop());

/** What a door says to these lines, from its greeting to its end. */
async function said(door: Door, identity: Identity | undefined, ...lines: readonly string[]): Promise<string> {
  const { host, port } = server.listeners[door];
  const ca = readFileSync(join(server.data, 'tls/ca.pem'));
  const own = identity === undefined ? {} : { key: identity.key, cert: identity.cert };
  const socket = connectTls({ host, port, ca, servername: 'localhost', ...own });
  socket.setEncoding('latin1');
  let received = '';
  socket.on('data', (text: string) => (received += text));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  for (const line of [...lines, door === 'imaps' ? 'z LOGOUT' : 'QUIT']) socket.write(`${line}\r\n`);
  await closed;
  return received;
}

const imaps = (identity: Identity | undefined, ...lines: readonly string[]) => said('imaps', identity, ...lines);

const base64 = (text: string) => Buffer.from(text).toString('base64');

test('a certificate with one address of an account logs in, as itself or as another name of it', {
  skip: openssl.skip,
}, async () => {
  const ann = people.issue(ANN);
  assert.match(await imaps(ann, 'a CAPABILITY'), /AUTH=EXTERNAL/);
  assert.match(await imaps(ann, 'a AUTHENTICATE EXTERNAL ='), /^a OK/m);
  assert.match(await imaps(ann, 'a AUTHENTICATE EXTERNAL', ''), /^a OK/m);
  assert.match(await imaps(ann, `a AUTHENTICATE EXTERNAL ${base64('Ann@ACME.example')}`), /^a OK/m);
  const directory = await administrator(server);
  await replaceAttribute(directory, userDn(ANN), 'mailAlternateAddress', ['a@acme.example']);
  await directory.unbind();
  assert.match(await imaps(ann, `a AUTHENTICATE EXTERNAL ${base64('a@acme.example')}`), /^a OK/m);
  const asBob = await imaps(ann, `a AUTHENTICATE EXTERNAL ${base64('bob@acme.example')}`);
  assert.match(asBob, /^a NO \[AUTHENTICATIONFAILED\]/m);
});

test('no certificate, none that is trusted, none with one address: not offered, and not taken', {
  skip: openssl.skip,
}, async () => {
  const others: (Identity | undefined)[] = [
    undefined,
    new TestAuthority().issue(ANN),
    people.issue(ANN, 'bob@acme.example'),
    people.issue('host.example'),
  ];
  for (const identity of others) {
    const said = await imaps(identity, 'a AUTHENTICATE EXTERNAL =');
    assert.doesNotMatch(said, /AUTH=EXTERNAL/);
    assert.match(said, /^a NO /m);
  }
  const nobody = await imaps(people.issue('nobody@acme.example'), 'a AUTHENTICATE EXTERNAL =');
  assert.match(nobody, /^a NO \[AUTHENTICATIONFAILED\]/m);
});

const OTHER_DOORS = {
  submissions: { begin: ['EHLO client.example'], offer: /^250-AUTH EXTERNAL /m, ok: /^235 /m, wrong: /^535 /m },
  pop3s: { begin: ['CAPA'], offer: /^SASL EXTERNAL /m, ok: /^\+OK \d+ messages/m, wrong: /^-ERR \[AUTH\]/m },
} as const;

for (const [door, { begin, offer, ok, wrong }] of Object.entries(OTHER_DOORS))
  test(`at ${door} too`, { skip: openssl.skip }, async () => {
    const ann = people.issue(ANN);
    const tried = (identity: Identity | undefined, ...lines: readonly string[]) =>
      said(door as Door, identity, ...begin, ...lines);
    assert.match(await tried(ann), offer);
    for (const lines of [['AUTH EXTERNAL ='], ['AUTH EXTERNAL', ''], [`AUTH EXTERNAL ${base64(ANN)}`]])
      assert.match(await tried(ann, ...lines), ok, lines.join());
    assert.match(await tried(ann, `AUTH EXTERNAL ${base64('bob@acme.example')}`), wrong);
    assert.match(await tried(people.issue('nobody@acme.example'), 'AUTH EXTERNAL ='), wrong);
    const without = await tried(undefined, 'AUTH EXTERNAL =');
    assert.doesNotMatch(without, /EXTERNAL/);
    assert.doesNotMatch(without, ok);
  });

test('at 25, where other servers call, no certificate is asked for', { skip: openssl.skip }, async () => {
  const { host, port } = server.listeners.smtp;
  const ca = readFileSync(join(server.data, 'tls/ca.pem'));
  const raw = connect({ host, port });
  const plain = new Lines(raw);
  await plain.until('220 ');
  await plain.command('EHLO client.example', '250 ');
  await plain.command('STARTTLS', '220 ');
  raw.removeAllListeners('data');
  const { key, cert } = people.issue(ANN);
  const secure = new Lines(connectTls({ socket: raw, ca, servername: 'localhost', key, cert }));
  assert.ok(!(await secure.command('EHLO client.example', '250 ')).some((line) => line.includes('EXTERNAL')));
  assert.match((await secure.command('AUTH EXTERNAL =', '5')).at(-1)!, /^504 /);
  secure.close();
});

test('ldapsearch binds by it', { skip: openssl.skip !== false ? openssl.skip : ldapsearch.skip }, async () => {
  const { certFile, keyFile } = people.issue(ANN);
  const tls = { LDAPTLS_CACERT: join(server.data, 'tls/ca.pem'), LDAPTLS_CERT: certFile, LDAPTLS_KEY: keyFile };
  const url = `ldap://localhost:${server.listeners.ldap.port}`;
  const args = ['-LLL', '-ZZ', '-Y', 'EXTERNAL', '-H', url, '-b', userDn(ANN), '-s', 'base', 'cn'];
  const { stdout } = await run(ldapsearch.path, args, { env: { ...process.env, ...tls } });
  assert.equal(stdout, `dn: ${userDn(ANN)}\ncn: ann\n\n`);
});
