// What leaves this host is signed, as others verify it: by submission, the API, sendmail, in reports; by keys that rotate; and what is not.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { RemoteHost } from '../src/estate/remote-host.ts';
import { addDomain, addUser, administrator, PASSWORD } from './support/directory.ts';
import { dkimpy, dkimVerifiersMissing, type KeyRecords, mailDkim } from './support/dkim-verifiers.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const run = promisify(execFile);

interface Key {
  readonly selector: string;
  readonly domain: string | null;
  readonly type: string;
  readonly state: string;
  readonly record: string;
}

let server: Waypost;
let sink: RemoteHost;
/** It lacks 8BITMIME. */
let old: RemoteHost;
before(async () => {
  sink = await RemoteHost.start();
  old = await RemoteHost.start({ extensions: [] });
  server = await startWaypost({
    config: `hostname = "mail.acme.example"\n[next-hop]\n"remote.example" = "${sink.nextHop}"\n"old.example" = "${old.nextHop}"\n`,
  });
  const client = await administrator(server);
  await addDomain(client, 'acme.example');
  await addDomain(client, 'other.example');
  await addUser(client, 'ann@acme.example');
  await addUser(client, 'eve@other.example');
  await client.unbind();
});
after(async () => {
  await server?.stop();
  await sink?.close();
  await old?.close();
});

async function waypost(...words: readonly string[]): Promise<string> {
  return (await run('./waypost', [...words, '--data', server.data])).stdout;
}

async function keys(): Promise<Key[]> {
  return JSON.parse(await waypost('dkim', 'list', '--json'));
}

/** What our name server says of each key at each domain here. */
async function records(): Promise<KeyRecords> {
  const resolver = new Resolver();
  const { host, port } = server.listeners.dns;
  resolver.setServers([`${host}:${port}`]);
  const found: Record<string, string> = {};
  for (const { selector, domain } of await keys())
    for (const each of domain === null ? ['acme.example', 'other.example', 'mail.acme.example'] : [domain]) {
      const name = `${selector}._domainkey.${each}`;
      const texts = await resolver.resolveTxt(name).catch(() => []);
      if (texts.length > 0) found[name] = texts[0]!.join('');
    }
  return found;
}

let number = 0;
interface Sent {
  readonly from?: string;
  readonly login?: string;
  readonly to?: string;
  readonly host?: RemoteHost;
  readonly body?: string;
}

/** What came at the other host. */
async function send({ from, login = 'ann@acme.example', to = 'x@remote.example', host = sink, body = 'text' }: Sent) {
  const word = `subject-${++number}`;
  const client = await SmtpClient.open(server.listeners.submission, { login, password: PASSWORD });
  const head = `From: Name <${from ?? login}>\r\nTo: ${to}\r\nSubject: ${word}\r\n\r\n`;
  await client.send(login, [to], Buffer.from(`${head}${body}\r\n`));
  await client.quit();
  return arrived(host, word);
}

async function arrived(host: RemoteHost, word: string): Promise<string> {
  await until(`a message ${word}`, () => host.messages.some(({ data }) => data.includes(word)));
  return host.messages.find(({ data }) => data.includes(word))!.data;
}

function signatures(message: string): number {
  return message.split('\r\nDKIM-Signature:').length - 1 + (message.startsWith('DKIM-Signature:') ? 1 : 0);
}

test('mail of a user carries two signatures that others verify', { skip: dkimVerifiersMissing }, async () => {
  const [rsa, edwards] = (await keys()).sort((a, b) => (a.type < b.type ? 1 : -1));
  assert.match(rsa!.selector, /^r\d{8}$/);
  assert.match(edwards!.selector, /^e\d{8}$/);
  const expected = [`${rsa!.selector} pass`, `${edwards!.selector} pass`];
  for (const body of ['text', 'text  with \t blanks \r\n\r\n\r\n', `${'0123456789  '.repeat(60)}\r\n`.repeat(1700)]) {
    const message = await send({ body });
    assert.deepEqual(dkimpy(message, await records()), expected);
    assert.equal(mailDkim(message, await records())[0], expected[0]);
  }
  const forged = (await send({})).replace('From: ', 'From: x@evil.example\r\nFrom: ');
  assert.deepEqual(
    dkimpy(forged, await records()),
    expected.map((each) => each.replace('pass', 'fail')),
  );
});

test('nobody signs as another, and what stays here is not signed', async () => {
  assert.equal(signatures(await send({ from: 'eve@other.example' })), 0);
  assert.equal(signatures(await send({ from: 'x@elsewhere.example' })), 0);
  assert.equal(signatures(await send({ from: 'ann@acme.example>, <eve@other.example' })), 0);
  assert.equal(signatures(await send({ login: 'eve@other.example' })), 2);
  assert.match(server.stderr(), /dkim\.unsigned/);
});

test('what is converted on its way out is signed anew', { skip: dkimVerifiersMissing }, async () => {
  const message = await send({ to: 'x@old.example', host: old, body: 'grüße' });
  assert.match(message, /quoted-printable/);
  const said = dkimpy(message, await records());
  assert.equal(said.length, 2);
  assert.ok(
    said.every((each) => each.endsWith(' pass')),
    said.join(),
  );
});

test('sendmail of the server’s user is signed as any domain here', { skip: dkimVerifiersMissing }, async () => {
  const word = `subject-${++number}`;
  const child = spawn('./waypost', ['sendmail', '--data', server.data, '-f', 'ann@acme.example', 'x@remote.example']);
  child.stdin.end(`From: ann@acme.example\nTo: x@remote.example\nSubject: ${word}\n\nhello  there\n`);
  const [code] = await once(child, 'exit');
  assert.equal(code, 0);
  const message = await arrived(sink, word);
  assert.ok(dkimpy(message, await records()).every((each) => each.endsWith(' pass')));
  assert.equal(signatures(message), 2);
});

test('keys rotate while mail goes out, and none fails', { skip: dkimVerifiersMissing }, async () => {
  const before = await send({});
  await waypost('dkim', 'rotate');
  const all = await keys();
  assert.deepEqual(all.map(({ state }) => state).sort(), ['retired', 'retired', 'signing', 'signing']);
  const now = await send({});
  for (const message of [before, now]) {
    const said = dkimpy(message, await records());
    assert.ok(said.length === 2 && said.every((each) => each.endsWith(' pass')), said.join());
  }
  const fresh = all.filter(({ state }) => state === 'signing').map(({ selector }) => selector);
  assert.ok(fresh.every((selector) => now.includes(`s=${selector};`)));
});

test('a domain with a key of its own signs with it', { skip: dkimVerifiersMissing }, async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
  const child = spawn('./waypost', ['dkim', 'import', 'other.example', 'theirs', '--data', server.data]);
  child.stdin.end(pem);
  assert.equal((await once(child, 'exit'))[0], 0);
  const message = await send({ login: 'eve@other.example' });
  assert.match(message, /s=theirs;/);
  assert.ok(dkimpy(message, await records()).every((each) => each.endsWith(' pass')));
  assert.doesNotMatch(await send({}), /s=theirs;/);
  const client = await administrator(server);
  const { searchEntries } = await client.search('cn=theirs,ou=Keys,ou=Waypost,o=internet', { scope: 'base' });
  assert.equal(searchEntries[0]!['waypostKeySecret'], undefined);
  assert.ok(searchEntries[0]!['waypostKeyPublic']);
  await client.unbind();
});

test('what is no key is refused, and the value named', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const client = await administrator(server);
  const add = (cn: string, values: Record<string, string>): Promise<void> =>
    client.add(`cn=${cn},ou=Keys,ou=Waypost,o=internet`, {
      objectClass: 'waypostDkimKey',
      cn,
      waypostKeyType: 'rsa',
      waypostKeySecret: generateKeyPairSync('rsa', { modulusLength: 2048 })
        .privateKey.export({ type: 'pkcs8', format: 'pem' })
        .toString(),
      ...values,
    });
  const small = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  await assert.rejects(add('k1', { waypostKeySecret: small }), { code: 19, message: /2048 to 4096/ });
  await assert.rejects(add('k2', { waypostKeySecret: 'none' }), { code: 19 });
  await assert.rejects(add('k3', { waypostKeyType: 'dsa' }), { code: 21, message: /dsa/ });
  await assert.rejects(add('k4', { waypostKeyType: 'ed25519' }), { code: 19, message: /ed25519/ });
  await assert.rejects(add('k5', { waypostKeyState: 'old' }), { code: 21, message: /old/ });
  await assert.rejects(add('k6', { waypostKeyDomain: 'a b' }), { code: 21, message: /a b/ });
  await assert.rejects(add('k7', { waypostKeyPublic: 'AAAA' }), { code: 19, message: /AAAA/ });
  await assert.rejects(add('k_8', {}), { code: 19, message: /k_8/ });
  await client.unbind();
});
