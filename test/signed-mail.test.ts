// What leaves this host is signed, as others verify it: by submission, the API, sendmail, in reports; by keys that rotate; and what is not.
// Keys and kills: test/signing-keys.test.ts

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { RemoteHost } from '../src/estate/remote-host.ts';
import { addDomain, addUser, administrator, domainDn, PASSWORD } from './support/directory.ts';
import { dkimKeys, type KeyRecords, keyRecords, signatureCount } from './support/dkim-keys.ts';
import { dkimpy, dkimVerifiersMissing, mailDkim } from './support/dkim-verifiers.ts';
import { startWaypost, type Waypost } from './support/server.ts';
import { until } from './support/until.ts';

const run = promisify(execFile);
const { skip } = { skip: dkimVerifiersMissing };
const DOMAINS = ['acme.example', 'other.example', 'third.example', 'mail.acme.example'];

let server: Waypost;
let sink: RemoteHost;
/** It lacks 8BITMIME and SMTPUTF8. */
let old: RemoteHost;
/** Where users that are not the server's find a configuration and a folder to submit to. */
let outside: string;
before(async () => {
  sink = await RemoteHost.start({ rcpt: (to) => (to.includes('refused@') ? '550 5.1.1 nobody' : undefined) });
  old = await RemoteHost.start({ extensions: [] });
  outside = mkdtempSync(join(tmpdir(), 'waypost-spool-'));
  chmodSync(outside, 0o755);
  server = await startWaypost({
    env: { WAYPOST_HOSTNAME: 'mail.acme.example' },
    config: [
      `submit.folder = "${join(outside, 'submit')}"`,
      `next-hop = { "remote.example" = "${sink.nextHop}", "old.example" = "${old.nextHop}" }\n`,
    ].join('\n'),
  });
  const client = await administrator(server);
  await addDomain(client, 'acme.example');
  await addDomain(client, 'other.example');
  await addDomain(client, 'third.example');
  await addDomain(client, 'relayed.example', { mailRoutingSmartHost: sink.nextHop });
  await addUser(client, 'ann@acme.example');
  await addUser(client, 'eve@other.example');
  await addUser(client, 'tom@third.example');
  await addUser(client, 'away@acme.example', {
    mailDeliveryOption: ['mailbox', 'autoreply'],
    mailAutoReplyText: 'I am away',
  });
  const forward = (to: string) => ({ mailDeliveryOption: 'forward', mailForwardingAddress: to });
  await addUser(client, 'gone@acme.example', forward('x@remote.example'));
  await addUser(client, 'lost@acme.example', forward('refused@remote.example'));
  const list = (name: string, more: Record<string, string>) =>
    client.add(`cn=${name},ou=Groups,${domainDn('acme.example')}`, {
      objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
      cn: name,
      mail: `${name}@acme.example`,
      mgrpRFC822MailMember: 'x@remote.example',
      ...more,
    });
  await list('plain', {});
  await list('team', { mgrpMsgSuffixText: 'By the team.' });
  await client.unbind();
});
after(async () => {
  await server?.stop();
  await sink?.close();
  await old?.close();
  rmSync(outside, { recursive: true, force: true });
});

async function waypost(...words: readonly string[]): Promise<string> {
  return (await run('./waypost', [...words, '--data', server.data])).stdout;
}

const keys = () => dkimKeys(server);

/** What our name server says of each key at each domain here. */
const records = (): Promise<KeyRecords> => keyRecords(server, DOMAINS);

/** Two signatures, of these domains, and others verify both. */
async function assertSigned(message: string, domain: string): Promise<void> {
  const said = dkimpy(message, await records());
  assert.ok(said.length === 2 && said.every((each) => each.endsWith(' pass')), `${said.join()}\n${message}`);
  assert.equal(message.split(`\r\n\td=${domain};`).length - 1, 2, message);
}

/** Why the log says that something went unsigned, from this point on. */
function unsignedSince(at: number): string[] {
  return server
    .stderr()
    .slice(at)
    .split('\n')
    .filter((line) => line.includes('"dkim.unsigned"'))
    .map((line) => JSON.parse(line).reason as string);
}

/** What is sent goes without a signature, and the log says why. */
async function assertUnsigned(sent: Sent, reason: RegExp): Promise<void> {
  const at = server.stderr().length;
  assert.equal(signatureCount(await send(sent)), 0);
  await until(`the reason ${reason}`, () => unsignedSince(at).length > 0);
  assert.match(unsignedSince(at).join(), reason);
}

let number = 0;
interface Sent {
  readonly from?: string;
  readonly login?: string;
  readonly to?: string;
  readonly host?: RemoteHost;
  readonly body?: string;
}

/** From another host, without a login. */
async function relay({ from = 's@remote.example', to }: { from?: string; to: string }): Promise<string> {
  const word = `subject-${++number}`;
  const client = await SmtpClient.open(server.listeners.smtp);
  const head = `From: <${from}>\r\nTo: ${to}\r\nSubject: ${word}\r\nMessage-ID: <${word}@remote.example>\r\n\r\n`;
  await client.send('s@remote.example', [to], Buffer.from(`${head}text\r\n`));
  await client.quit();
  return word;
}

async function inbox(login: string, word: string): Promise<string> {
  const client = await ImapClient.login(server.listeners.imap, login, PASSWORD);
  try {
    const bodies = (await client.fetchAll()).map(({ body }) => body.toString('latin1'));
    const found = bodies.find((text) => text.includes(word));
    assert.ok(found !== undefined, `no ${word} at ${login}`);
    return found;
  } finally {
    await client.logout();
  }
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

/** In one chunk, as it is. */
async function sendAs(text: string, host: RemoteHost): Promise<string> {
  const word = `subject-${++number}`;
  const client = await SmtpClient.open(server.listeners.submission, { login: 'ann@acme.example', password: PASSWORD });
  const octets = Buffer.from(text.replace('WORD', word), 'latin1');
  const to = host === old ? 'x@old.example' : 'x@remote.example';
  for (const line of ['MAIL FROM:<ann@acme.example>', `RCPT TO:<${to}>`]) await client.command(line);
  client.connection.write(`BDAT ${octets.length} LAST\r\n`);
  client.connection.write(octets);
  assert.equal((await client.reply()).code, 250, text);
  await client.quit();
  return arrived(host, word);
}

const HEAD = 'From: ann@acme.example\r\nSubject: WORD\r\n';
const ODD: readonly (readonly [what: string, text: string])[] = [
  ['no body', HEAD],
  ['a body of line breaks alone', `${HEAD}\r\n\r\n\r\n\r\n`],
  ['a body without its last line break', `${HEAD}\r\ntext`],
  ['a last line of blanks', `${HEAD}\r\ntext\r\n  \t\r\n`],
  [
    'values that begin on the next line',
    `${HEAD}Reply-To:\r\n ann@acme.example\r\nTo:\r\n\tx@remote.example\r\n\r\ntext\r\n`,
  ],
  ['blanks before the colon', 'From : ann@acme.example\r\nSubject\t: WORD\r\n\r\ntext\r\n'],
  ['fields twice', `${HEAD}Subject: again\r\nTo: a@remote.example\r\nTo: b@remote.example\r\n\r\ntext\r\n`],
  ['a fold of blanks alone', `${HEAD}To: a@remote.example,\r\n \t\r\n b@remote.example\r\n\r\ntext\r\n`],
  ['lines of dots', `${HEAD}\r\n.\r\n..\r\n.text\r\n`],
];

// From reports of other programs that signed them wrong: docs/field-cases.md.
test('odd messages carry signatures that others verify', { skip: dkimVerifiersMissing }, async () => {
  const known = await records();
  const sent = await Promise.all(ODD.map(([, text], at) => sendAs(text, at % 2 === 0 ? sink : old)));
  for (const [at, message] of sent.entries())
    assert.match(mailDkim(message, known)[0]!, / pass$/, `${ODD[at]![0]}:\n${message}`);
});

test('nobody signs as another', async () => {
  await assertUnsigned({ from: 'eve@other.example' }, /^the account has no address in other\.example$/);
  await assertUnsigned({ from: 'x@elsewhere.example' }, /^elsewhere\.example is not ours$/);
  await assertUnsigned({ from: 'ann@acme.example>, <eve@other.example' }, /^From has several domains$/);
  await assertUnsigned({ from: 'a@mail.acme.example' }, /^the account has no address in mail\.acme\.example$/);
});

test('what stays here is not signed; what has one recipient elsewhere is', async () => {
  const at = server.stderr().length;
  const client = await SmtpClient.open(server.listeners.submission, { login: 'ann@acme.example', password: PASSWORD });
  const message = (word: string) => Buffer.from(`From: ann@acme.example\r\nSubject: ${word}\r\n\r\ntext\r\n`);
  await client.send('ann@acme.example', ['tom@third.example', 'eve@other.example'], message('stays-here'));
  await client.send('ann@acme.example', ['eve@other.example', 'x@remote.example'], message('goes-out'));
  await client.quit();
  assert.equal(signatureCount(await inbox('eve@other.example', 'stays-here')), 0);
  assert.equal(signatureCount(await inbox('tom@third.example', 'stays-here')), 0);
  assert.equal(signatureCount(await inbox('eve@other.example', 'goes-out')), 2);
  assert.equal(signatureCount(await arrived(sink, 'goes-out')), 2);
  assert.deepEqual(unsignedSince(at), []);
});

test('what a program sends over HTTPS is signed as its account', { skip }, async () => {
  const word = `subject-${++number}`;
  const text = JSON.stringify({ from: 'ann@acme.example', to: ['x@remote.example'], subject: word, text: 'hi\n' });
  const asking = request({
    host: 'localhost',
    port: server.listeners.https.port,
    path: '/v1/messages',
    method: 'POST',
    auth: `ann@acme.example:${PASSWORD}`,
    ca: readFileSync(join(server.data, 'tls', 'ca.pem')),
    headers: { 'content-type': 'application/json' },
  });
  asking.end(text);
  const [answer] = await once(asking, 'response');
  answer.resume();
  assert.equal(answer.statusCode, 202);
  await assertSigned(await arrived(sink, word), 'acme.example');
});

test('what is converted on its way out is signed anew', { skip }, async () => {
  const eight = await send({ to: 'x@old.example', host: old, body: 'grüße' });
  assert.match(eight, /quoted-printable/);
  await assertSigned(eight, 'acme.example');
  const word = `subject-${++number}`;
  const client = await SmtpClient.open(server.listeners.submission, { login: 'ann@acme.example', password: PASSWORD });
  await client.command('MAIL FROM:<ann@acme.example> SMTPUTF8');
  await client.command('RCPT TO:<x@old.example>');
  await client.data(
    Buffer.from(`From: Änn <ann@acme.example>\r\nSubject: Grüße\r\nMessage-ID: <${word}@acme.example>\r\n\r\ntext\r\n`),
  );
  await client.quit();
  const wide = await arrived(old, word);
  assert.match(wide, /^Subject: .*=\?utf-8\?/im);
  await assertSigned(wide, 'acme.example');
});

/** By `waypost sendmail`, as this user. */
async function sendmail(from: string, uid?: number): Promise<string> {
  const word = `subject-${++number}`;
  const config = join(outside, 'waypost.toml');
  writeFileSync(
    config,
    `data = "${server.data}"\nhostname = "mail.acme.example"\n[submit]\nfolder = "${outside}/submit"\n`,
  );
  chmodSync(config, 0o644);
  const child = spawn('./waypost', ['sendmail', '-f', from, 'x@remote.example'], {
    env: { ...process.env, WAYPOST_CONFIG: config },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  child.stdin.end(`From: ${from}\nTo: x@remote.example\nSubject: ${word}\n\nhello  there\n`);
  assert.equal((await once(child, 'exit'))[0], 0);
  return arrived(sink, word);
}

test('sendmail of the server’s user is signed as any domain here', { skip }, async () => {
  await assertSigned(await sendmail('ann@acme.example'), 'acme.example');
  await assertSigned(await sendmail('cron@mail.acme.example'), 'mail.acme.example');
});

test('sendmail of other users is signed in the host’s name alone', {
  skip: skip || process.getuid?.() !== 0,
}, async () => {
  await assertSigned(await sendmail('cron@mail.acme.example', 65_534), 'mail.acme.example');
  const at = server.stderr().length;
  assert.equal(signatureCount(await sendmail('ann@acme.example', 65_534)), 0);
  await until('the reason', () => unsignedSince(at).length > 0);
  assert.deepEqual(unsignedSince(at), ['a local user has no address in acme.example']);
});

test('a report is signed in the host’s name, an automatic answer in its user’s', { skip }, async () => {
  const failed = await relay({ to: 'lost@acme.example' });
  const report = await arrived(sink, failed);
  assert.match(report, /multipart\/report/);
  await assertSigned(report, 'mail.acme.example');
  const word = await relay({ to: 'away@acme.example' });
  const answer = await arrived(sink, word);
  assert.match(answer, /I am away/);
  await assertSigned(answer, 'acme.example');
});

test('what is forwarded or relayed is not signed, and keeps what it had', { skip }, async () => {
  const at = server.stderr().length;
  const forged = { from: 'ann@acme.example' };
  for (const to of ['gone@acme.example', 'x@relayed.example', 'plain@acme.example'])
    assert.equal(signatureCount(await arrived(sink, await relay({ ...forged, to }))), 0, to);
  assert.deepEqual(unsignedSince(at), []);
  // An account's own, which it leaves with, passes through a list that changes nothing, and through who forwards.
  await assertSigned(await send({ to: 'plain@acme.example' }), 'acme.example');
  await assertSigned(await send({ to: 'gone@acme.example' }), 'acme.example');
});

test('a list that changes text signs for the account that sent it, never for a stranger', { skip }, async () => {
  const changed = await send({ to: 'team@acme.example' });
  assert.match(changed, /By the team\./);
  await assertSigned(changed, 'acme.example');
  const at = server.stderr().length;
  const forged = await arrived(sink, await relay({ from: 'ann@acme.example', to: 'team@acme.example' }));
  assert.match(forged, /By the team\./);
  assert.equal(signatureCount(forged), 0);
  assert.deepEqual(unsignedSince(at), ['a list has altered what no account here has sent']);
  await assertUnsigned({ from: 'eve@other.example', to: 'team@acme.example' }, /no address in other\.example/);
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

test('a domain with a key of its own signs with it alone', { skip }, async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
  const child = spawn('./waypost', ['dkim', 'import', 'other.example', 'theirs.march-27', '--data', server.data]);
  child.stdin.end(pem);
  assert.equal((await once(child, 'exit'))[0], 0);
  const message = await send({ login: 'eve@other.example' });
  assert.match(message, /s=theirs\.march-27;/);
  assert.ok(dkimpy(message, await records()).every((each) => each.endsWith(' pass')));
  assert.doesNotMatch(await send({}), /s=theirs\.march-27;/);
  const client = await administrator(server);
  const { searchEntries } = await client.search('cn=theirs.march-27,ou=Keys,ou=Waypost,o=internet', { scope: 'base' });
  assert.equal(searchEntries[0]!['waypostKeySecret'], undefined);
  assert.ok(searchEntries[0]!['waypostKeyPublic']);
  await client.unbind();
});

test('a key that LDAP brings, and a pair that one domain rotates to', { skip }, async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 3072 });
  const client = await administrator(server);
  const dn = 'cn=by-ldap,ou=Keys,ou=Waypost,o=internet';
  await client.add(dn, {
    objectClass: 'waypostDkimKey',
    cn: 'by-ldap',
    waypostKeyType: 'rsa',
    waypostKeyDomain: 'third.example',
    waypostKeySecret: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  });
  await client.unbind();
  const first = await send({ login: 'tom@third.example' });
  assert.deepEqual(dkimpy(first, await records()), ['by-ldap pass']);
  const open = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  const all = JSON.parse(await waypost('dkim', 'list', '--json')) as {
    readonly selector: string;
    readonly record: string;
  }[];
  const listed = all.find(({ selector }) => selector === 'by-ldap')!;
  assert.deepEqual(listed, {
    selector: 'by-ldap',
    domain: 'third.example',
    type: 'rsa',
    state: 'signing',
    record: `v=DKIM1; k=rsa; p=${open}`,
  });
  assert.equal((await records())['by-ldap._domainkey.third.example'], listed.record);
  await waypost('dkim', 'rotate', 'third.example');
  const second = await send({ login: 'tom@third.example' });
  await assertSigned(second, 'third.example');
  const own = (await keys()).filter(({ domain }) => domain === 'third.example');
  assert.deepEqual(own.map(({ type, state }) => `${type} ${state}`).sort(), [
    'ed25519 new',
    'rsa retired',
    'rsa signing',
  ]);
  // What left before is verified by the record that stays.
  assert.deepEqual(dkimpy(first, await records()), ['by-ldap pass']);
  const fresh = own.filter(({ state }) => state !== 'retired').map(({ selector }) => selector);
  assert.ok(fresh.every((selector) => second.includes(`s=${selector};`)));
  const others = await send({});
  assert.ok(fresh.every((selector) => !others.includes(`s=${selector};`)));
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
  await assert.rejects(add('k..9', {}), { code: 19, message: /k\.\.9/ });
  await client.unbind();
});
