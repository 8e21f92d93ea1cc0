// TLS as its users' programs speak it, by STARTTLS and from the first byte, against a started Waypost that nobody configured.
// Each of them trusts `tls/ca.pem` of the data directory, and checks the name `localhost`.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { ImapFlow } from 'imapflow';
import { Client } from 'ldapts';
import { createTransport } from 'nodemailer';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { createTestEstate, type TestEstate } from '../src/estate/estate.ts';
import { ADMINISTRATOR, type Person, populate } from './support/directory.ts';
import { type PeerName, peer, swaksTlsMissing } from './support/peers.ts';
import type { Door } from './support/server.ts';

const HOST = 'localhost';
const SUBJECT = 'in TLS';
const TOOL_MS = 180_000;
const NOBODY = 65_534;

let estate: TestEstate;
let ann: Person;
let ca: string;
let folder: string;
before(async () => {
  estate = await createTestEstate();
  [ann] = (await populate(estate, 'acme.example', ['ann'])) as [Person];
  ca = join(estate.data, 'tls/ca.pem');
  folder = mkdtempSync(join(tmpdir(), 'waypost-tls-'));
});
after(async () => {
  await estate?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

const port = (door: Door): string => String(estate.listeners[door].port);

const execute = promisify(execFile);

/** What a tool prints; it fails where the tool does. */
async function run(tool: PeerName, parameters: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const options = { timeout: TOOL_MS, env: { ...process.env, ...env } };
  const { stdout, stderr } = await execute(peer(tool).path, parameters, options);
  return stdout + stderr;
}

/** The same for one that reads a text; its exit code is looked at. */
function runWithInput(tool: PeerName, parameters: readonly string[], input: string): Promise<string> {
  const child = spawn(peer(tool).path, parameters, { timeout: TOOL_MS });
  return new Promise((resolve, reject) => {
    let printed = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (printed += text));
    child.stdin.on('error', () => {});
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve(printed) : reject(new Error(`${code}: ${printed}`))));
    child.stdin.end(input);
  });
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

async function append(): Promise<void> {
  const client = await ImapClient.login(estate.listeners.imap, ann.login, ann.password);
  await client.append('INBOX', Buffer.from(`From: carol@remote.example\r\nSubject: ${SUBJECT}\r\n\r\nText.\r\n`));
  await client.logout();
}

describe('openssl s_client verifies the certificate', { skip: peer('openssl').skip }, () => {
  const doors: readonly (readonly [door: Door, starttls?: string])[] = [
    ['smtp', 'smtp'],
    ['submission', 'smtp'],
    ['imap', 'imap'],
    ['pop3', 'pop3'],
    ['ldap', 'ldap'],
    ['submissions'],
    ['imaps'],
    ['pop3s'],
    ['ldaps'],
    ['https'],
  ];
  for (const [door, starttls] of doors)
    test(`${door}${starttls === undefined ? '' : ` by STARTTLS`}`, async () => {
      const name = ['-servername', HOST, '-verify_hostname', HOST];
      const how = starttls === undefined ? [] : ['-starttls', starttls];
      const printed = await runWithInput(
        'openssl',
        ['s_client', '-connect', `127.0.0.1:${port(door)}`, '-CAfile', ca, ...name, ...how],
        '',
      );
      assert.match(printed, /^Verify return code: 0 \(ok\)$/m);
    });
});

describe('curl logs in', { skip: peer('curl').skip }, () => {
  const call = (url: string, ...more: readonly string[]): Promise<string> =>
    run('curl', ['-sS', '--cacert', ca, '--ssl-reqd', '--user', `${ann.login}:${ann.password}`, ...more, url]);

  test('IMAP and POP3, by STARTTLS and from the first byte', async () => {
    await append();
    for (const [scheme, door] of [
      ['imap', 'imap'],
      ['imaps', 'imaps'],
    ] as const)
      assert.match(await call(`${scheme}://${HOST}:${port(door)}/`), /^\* LIST \(\\HasNoChildren\) "\/" INBOX\r$/m);
    for (const [scheme, door] of [
      ['pop3', 'pop3'],
      ['pop3s', 'pop3s'],
    ] as const)
      assert.match(await call(`${scheme}://${HOST}:${port(door)}/1`), /\r\nSubject: in TLS\r\n/);
  });

  test('SMTP, by STARTTLS and from the first byte', async () => {
    const message = file('message', `Subject: ${SUBJECT}\r\n\r\nText.\r\n`);
    const mail = ['--mail-from', ann.login, '--mail-rcpt', ann.login, '--upload-file', message];
    await call(`smtp://${HOST}:${port('submission')}`, ...mail);
    await call(`smtps://${HOST}:${port('submissions')}`, ...mail);
  });

  test('HTTPS', async () => {
    const status = await run('curl', [
      '-sS',
      '--cacert',
      ca,
      '-o',
      '/dev/null',
      '-w',
      '%{http_code} %{ssl_verify_result}',
      `https://${HOST}:${port('https')}/`,
    ]);
    assert.match(status, /^[234]\d\d 0$/);
  });
});

test('swaks: --tls and --tlsc', { skip: swaksTlsMissing() }, async () => {
  const common = ['--to', ann.login, '--from', ann.login, '--tls-verify', '--tls-ca-path', ca];
  const login = ['--auth', 'PLAIN', '--auth-user', ann.login, '--auth-password', ann.password];
  const plain = await run('swaks', [...common, ...login, '--server', `${HOST}:${port('submission')}`, '--tls']);
  assert.match(plain, /TLS started with cipher/);
  assert.match(plain, /235 2\.7\.0/);
  const implicit = await run('swaks', [...common, ...login, '--server', `${HOST}:${port('submissions')}`, '--tlsc']);
  assert.match(implicit, /235 2\.7\.0/);
  assert.match(await run('swaks', [...common, '--server', `${HOST}:${port('smtp')}`, '--tls']), /250 2\.0\.0/);
});

test('ldapsearch: -ZZ and ldaps', { skip: peer('ldapsearch').skip }, async () => {
  const env = { LDAPTLS_CACERT: ca };
  const search = ['-x', '-LLL', '-D', ADMINISTRATOR, '-w', estate.ldap.password, '-b', 'o=internet', '-s', 'base'];
  const found = /^dn: o=internet$/m;
  assert.match(await run('ldapsearch', ['-ZZ', '-H', `ldap://${HOST}:${port('ldap')}`, ...search], env), found);
  assert.match(await run('ldapsearch', ['-H', `ldaps://${HOST}:${port('ldaps')}`, ...search], env), found);
});

describe('mbsync fetches', { skip: peer('mbsync').skip }, () => {
  for (const [kind, door] of [
    ['STARTTLS', 'imap'],
    ['IMAPS', 'imaps'],
  ] as const)
    test(kind, async () => {
      await append();
      const local = join(folder, `mbsync-${kind}`);
      mkdirSync(local);
      const login = `User ${ann.login}\nPass ${ann.password}\nAuthMechs *\n`;
      const account = `IMAPAccount w\nHost ${HOST}\nPort ${port(door)}\n${login}SSLType ${kind}\nCertificateFile ${ca}\n`;
      const stores = `IMAPStore far\nAccount w\n\nMaildirStore near\nPath ${local}/\nInbox ${local}/INBOX\n`;
      const channel = 'Channel all\nFar :far:\nNear :near:\nCreate Near\nSyncState *\n';
      await run('mbsync', ['-c', file(`mbsync-${kind}.rc`, `${account}\n${stores}\n${channel}`), 'all']);
      assert.ok(mailIn(join(local, 'INBOX')).some((text) => text.includes(`Subject: ${SUBJECT}`)));
    });
});

/** The messages of a Maildir. */
function mailIn(maildir: string): string[] {
  return ['new', 'cur'].flatMap((part) =>
    readdirSync(join(maildir, part)).map((name) => readFileSync(join(maildir, part, name), 'latin1')),
  );
}

test('msmtp: STARTTLS and TLS from the first byte', { skip: peer('msmtp').skip }, async () => {
  const login = ['--auth=on', `--user=${ann.login}`, `--passwordeval=printf %s ${ann.password}`, `--from=${ann.login}`];
  for (const [door, starttls] of [
    ['submission', 'on'],
    ['submissions', 'off'],
  ] as const) {
    const where = [
      `--host=${HOST}`,
      `--port=${port(door)}`,
      '--tls=on',
      `--tls-starttls=${starttls}`,
      `--tls-trust-file=${ca}`,
    ];
    await runWithInput('msmtp', [...where, ...login, '--', ann.login], `Subject: ${SUBJECT}\n\nText.\n`);
  }
});

describe('fetchmail fetches', { skip: peer('fetchmail').skip }, () => {
  for (const [door, protocol, how] of [
    ['pop3', 'pop3', "sslproto 'TLS1.2+'"],
    ['pop3s', 'pop3', 'ssl'],
    ['imap', 'imap', "sslproto 'TLS1.2+'"],
    ['imaps', 'imap', 'ssl'],
  ] as const)
    test(door, async () => {
      await append();
      const login = `user '${ann.login}' password '${ann.password}'`;
      const trust = `${how} sslcertck sslcertfile ${ca}`;
      const rc = `poll ${HOST} service ${port(door)} protocol ${protocol} ${login} ${trust} fetchall keep mda 'cat >&2'\n`;
      const at = ['-f', file(`fetchmail-${door}`, rc), '--pidfile', join(folder, `fetchmail-${door}.pid`)];
      const printed = await run('fetchmail', [...at, '--idfile', join(folder, `fetchmail-${door}.ids`)], {
        HOME: folder,
      });
      assert.match(printed, /Subject: in TLS/);
    });
});

describe('getmail fetches', { skip: peer('getmail').skip }, () => {
  for (const [door, retriever] of [
    ['imaps', 'SimpleIMAPSSLRetriever'],
    ['pop3s', 'SimplePOP3SSLRetriever'],
  ] as const)
    test(door, async () => {
      await append();
      const home = join(folder, `getmail-${door}`);
      const mail = join(home, 'mail');
      for (const name of ['cur', 'new', 'tmp']) mkdirSync(join(mail, name), { recursive: true });
      const trusted = file(`getmail-${door}.pem`, readFileSync(ca, 'latin1'));
      chmodSync(trusted, 0o644);
      const login = `username = ${ann.login}\npassword = ${ann.password}\n`;
      const where = `type = ${retriever}\nserver = ${HOST}\nport = ${port(door)}\nca_certs = ${trusted}\n`;
      const to = `type = Maildir\npath = ${mail}/\n`;
      const rc = file(`getmail-${door}.rc`, `[retriever]\n${where}${login}[destination]\n${to}`);
      // Its Maildir refuses root; and where it hands each message to another program, it may wait for that for ever (6.18).
      const who = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
      if (who.uid !== undefined) {
        chmodSync(folder, 0o755);
        for (const path of [home, mail, ...['cur', 'new', 'tmp'].map((name) => join(mail, name)), rc])
          chownSync(path, NOBODY, NOBODY);
      }
      await execute(peer('getmail').path, [`--getmaildir=${home}`, `--rcfile=${rc}`], { timeout: TOOL_MS, ...who });
      const [message] = readdirSync(join(mail, 'new'));
      assert.match(readFileSync(join(mail, 'new', message!), 'latin1'), /^Subject: in TLS$/m);
    });
});

test('imapflow: STARTTLS and TLS from the first byte', async () => {
  for (const [door, options] of [
    ['imap', { secure: false, doSTARTTLS: true }],
    ['imaps', { secure: true }],
  ] as const) {
    const auth = { user: ann.login, pass: ann.password };
    const tls = { ca: readFileSync(ca) };
    const client = new ImapFlow({ host: HOST, port: Number(port(door)), auth, tls, logger: false, ...options });
    await client.connect();
    assert.ok(client.secureConnection);
    await client.mailboxOpen('INBOX');
    await client.logout();
  }
});

test('nodemailer: STARTTLS and TLS from the first byte', async () => {
  for (const [door, options] of [
    ['submission', { secure: false, requireTLS: true }],
    ['submissions', { secure: true }],
  ] as const) {
    const auth = { user: ann.login, pass: ann.password };
    const tls = { ca: readFileSync(ca) };
    const transport = createTransport({ host: HOST, port: Number(port(door)), auth, tls, ...options });
    const sent = await transport.sendMail({ from: ann.login, to: ann.login, subject: SUBJECT, text: 'Text.' });
    assert.match(sent.response, /^250 2\.0\.0 /);
    transport.close();
  }
});

test('ldapts: StartTLS and ldaps', async () => {
  for (const url of [`ldap://${HOST}:${port('ldap')}`, `ldaps://${HOST}:${port('ldaps')}`]) {
    // The client keeps its socket in it.
    const tls = { ca: [readFileSync(ca)] };
    const client = new Client({ url, timeout: TOOL_MS, ...(url.startsWith('ldaps') ? { tlsOptions: tls } : {}) });
    if (!url.startsWith('ldaps')) await client.startTLS(tls);
    await client.bind(ADMINISTRATOR, estate.ldap.password);
    const { searchEntries } = await client.search('o=internet', { scope: 'base' });
    assert.equal(searchEntries.length, 1);
    await client.unbind();
  }
});

/** Logs in at each door by STARTTLS and from the first byte, and prints how it was answered. */
const PYTHON = `
import imaplib, poplib, smtplib, ssl, sys
ca, login, password, imap, imaps, pop3, pop3s, submission, submissions = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
box = imaplib.IMAP4('localhost', int(imap)); box.starttls(context)
print('imap', box.login(login, password)[0]); box.logout()
box = imaplib.IMAP4_SSL('localhost', int(imaps), ssl_context=context)
print('imaps', box.login(login, password)[0]); box.logout()
drop = poplib.POP3('localhost', int(pop3)); drop.stls(context)
drop.user(login); print('pop3', drop.pass_(password)[:3].decode()); drop.quit()
drop = poplib.POP3_SSL('localhost', int(pop3s), context=context)
drop.user(login); print('pop3s', drop.pass_(password)[:3].decode()); drop.quit()
mail = smtplib.SMTP('localhost', int(submission)); mail.starttls(context=context)
print('submission', mail.login(login, password)[0]); mail.quit()
mail = smtplib.SMTP_SSL('localhost', int(submissions), context=context)
print('submissions', mail.login(login, password)[0]); mail.quit()
`;

test('imaplib, poplib and smtplib: STARTTLS and TLS from the first byte', { skip: peer('python3').skip }, async () => {
  const doors: readonly Door[] = ['imap', 'imaps', 'pop3', 'pop3s', 'submission', 'submissions'];
  const printed = await run('python3', ['-c', PYTHON, ca, ann.login, ann.password, ...doors.map(port)]);
  assert.equal(printed, 'imap OK\nimaps OK\npop3 +OK\npop3s +OK\nsubmission 235\nsubmissions 235\n');
});
