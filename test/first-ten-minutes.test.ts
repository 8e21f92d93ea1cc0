// The first ten minutes of a new user, with the programs that a user has: OpenLDAP's tools, dig, swaks, curl, nodemailer.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { Client } from 'ldapts';
import { createTransport } from 'nodemailer';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { createTestEstate, type TestEstate } from '../src/estate/estate.ts';
import {
  ADMINISTRATOR,
  administrator,
  domainDn,
  PASSWORD,
  populate,
  replaceAttribute,
  userDn,
} from './support/directory.ts';
import { peer, peersMissing } from './support/peers.ts';
import type { Door } from './support/server.ts';

const root = resolve(import.meta.dirname, '..');
const [ldapadd, ldapsearch, ldapdelete, dig, swaks, curl, python] = (
  ['ldapadd', 'ldapsearch', 'ldapdelete', 'dig', 'swaks', 'curl', 'python3'] as const
).map(peer) as [Peer, Peer, Peer, Peer, Peer, Peer, Peer];
type Peer = ReturnType<typeof peer>;

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, whatever its exit code. */
function run(path: string, args: readonly string[], input = ''): Promise<Ran> {
  return new Promise((done) => {
    const child = execFile(path, args, { timeout: 180_000 }, (error, stdout, stderr) =>
      done({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr }),
    );
    child.stdin!.on('error', () => {});
    child.stdin!.end(input);
  });
}

describe('one write, and mail flows', () => {
  let estate: TestEstate;
  before(async () => {
    estate = await createTestEstate();
  });
  after(() => estate?.close());

  const at = (door: Door): [host: string, port: string] => [
    estate.listeners[door].host,
    String(estate.listeners[door].port),
  ];
  const ldapArguments = (): string[] => [
    '-x',
    '-H',
    `ldap://${at('ldap').join(':')}`,
    '-D',
    ADMINISTRATOR,
    '-y',
    join(estate.data, 'admin-password'),
  ];
  /** swaks' exit code, and what was said; the message is `body`. */
  function send(door: Door, recipients: readonly string[], ...more: readonly string[]): Promise<Ran> {
    const [host, port] = at(door);
    const common = ['--server', host, '--port', port, '--from', 'carol@remote.example', '--timeout', '120', '-hs'];
    return run(swaks.path, [...common, '--to', recipients.join(','), ...more]);
  }

  const domain = `dn: ${domainDn('acme.example')}
objectClass: domain
objectClass: inetDomain
objectClass: mailDomain
dc: acme
`;
  const ann = `dn: ${userDn('ann@acme.example')}
objectClass: inetOrgPerson
objectClass: inetUser
objectClass: inetMailUser
objectClass: inetLocalMailRecipient
uid: ann
cn: Ann
sn: Archer
mail: ann@acme.example
userPassword: ${PASSWORD}
`;
  const need = peersMissing('ldapadd', 'ldapsearch', 'ldapdelete', 'dig', 'swaks');

  test('ldapadd of a domain: dig sees its MX at once, and the nodes above it are there', { skip: need }, async () => {
    const added = await run(ldapadd.path, ldapArguments(), domain);
    assert.equal(added.code, 0, added.stderr);
    const [host, port] = at('dns');
    const question = [`@${host}`, '-p', port, 'acme.example', 'MX', '+short', '+tries=1', '+time=30'];
    const { stdout } = await run(dig.path, question);
    assert.equal(stdout.trim(), `10 ${estate.hostname}.`);
    const { stdout: overTcp } = await run(dig.path, [...question, '+tcp']);
    assert.equal(overTcp, stdout);
    const found = await run(ldapsearch.path, [...ldapArguments(), '-LLL', '-b', 'dc=example,o=internet', 'dn']);
    assert.match(found.stdout, /^dn: dc=example,o=internet$/m);
    const again = await run(ldapadd.path, ldapArguments(), domain);
    assert.equal(again.code, 68, 'an entry that exists');
  });

  test('ldapadd of ann: swaks gets 250 for her, 550 for others', { skip: need }, async () => {
    const nobody = await send('smtp', ['ann@acme.example']);
    assert.match(nobody.stdout, /<\*\* 550 5\.1\.1 /);
    const added = await run(ldapadd.path, ldapArguments(), ann);
    assert.equal(added.code, 0, added.stderr);
    const sent = await send('smtp', ['ann@acme.example'], '--body', 'Hello, Ann');
    assert.equal(sent.code, 0, sent.stdout);
    assert.match(sent.stdout, /<- {2}250 2\.0\.0 queued as \w+/);
    assert.match((await send('smtp', ['nobody@acme.example'])).stdout, /<\*\* 550 5\.1\.1 /);
    assert.match((await send('smtp', ['x@elsewhere.example'])).stdout, /<\*\* 550 5\.7\.1 /);
    // One good and one bad: the good one gets it.
    const mixed = await send('smtp', ['ann@acme.example', 'nobody@acme.example'], '--h-Subject', 'mixed');
    assert.match(mixed.stdout, /<\*\* 550 5\.1\.1 [\s\S]*<- {2}250 2\.0\.0 queued as/);
  });

  test('no open relay, however the foreign address is dressed up', { skip: need }, async () => {
    const dressed = [
      'u%elsewhere.example@acme.example',
      '@acme.example:u@elsewhere.example',
      '"u@elsewhere.example"@acme.example',
      'elsewhere.example!u@acme.example',
      'u@[192.0.2.1]',
      'u@elsewhere.example.',
      'U@ELSEWHERE.EXAMPLE',
      `u%elsewhere.example@${estate.hostname}`,
      'u@acme.example@elsewhere.example',
    ];
    for (const address of dressed) {
      const { code, stdout } = await send('smtp', [address], '--quit-after', 'rcpt');
      assert.notEqual(code, 0, stdout);
      assert.match(stdout, /<\*\* (550 5\.(7|1)\.1|501 5\.|553 5\.|550 5\.1\.[0-9])/, address);
    }
    const empty = await send('smtp', ['x@elsewhere.example'], '--from', '<>');
    assert.match(empty.stdout, /<\*\* 550 5\.7\.1 /);
  });

  test('submission wants a login; with it ann’s message to herself arrives', { skip: need }, async () => {
    const stranger = await send('submission', ['ann@acme.example']);
    assert.match(stranger.stdout, /<\*\* 530 5\.7\.0 /);
    const login = ['--auth', 'LOGIN', '--auth-user', 'ann@acme.example', '--auth-password'];
    const wrong = await send('submission', ['ann@acme.example'], ...login, 'wrong');
    assert.match(wrong.stdout, /<\*\* 535 5\.7\.8 /);
    const from = ['--from', 'ann@acme.example', '--h-Subject', 'submitted'];
    const sent = await send('submission', ['ann@acme.example'], ...login, PASSWORD, ...from);
    assert.equal(sent.code, 0, sent.stdout);
    const forged = await send('submission', ['ann@acme.example'], ...login, PASSWORD);
    assert.match(forged.stdout, /<\*\* 553 5\.7\.1 /);
  });

  test('curl reads it over IMAP and POP3, byte for byte the same', { skip: need || curl.skip }, async () => {
    const user = ['-sS', '--user', `ann@acme.example:${PASSWORD}`];
    const imap = await run(curl.path, [...user, `imap://${at('imap').join(':')}/INBOX;MAILINDEX=1`]);
    assert.match(imap.stdout, /^Return-Path: <carol@remote\.example>\r\nReceived: /);
    assert.match(imap.stdout, /\r\nHello, Ann\r\n/);
    const pop3 = await run(curl.path, [...user, `pop3://${at('pop3').join(':')}/1`]);
    assert.equal(pop3.stdout.trimEnd(), imap.stdout.trimEnd());
  });

  /** It uses STARTTLS where that is offered, and verifies. */
  const trusted = () => ({ ca: readFileSync(join(estate.data, 'tls', 'ca.pem')) });

  test('nodemailer sends, with attachments and without a login', async () => {
    const [host, port] = at('smtp');
    await populate(estate, 'nodemailer.example', ['bob']);
    const transport = createTransport({ host, port: Number(port), tls: trusted(), pool: true, maxConnections: 2 });
    const attachment = Buffer.from(Array.from({ length: 50_000 }, (_, i) => i % 256));
    const subjects = Array.from({ length: 10 }, (_, i) => `Ünïcode ${i}`);
    await Promise.all(
      subjects.map((subject) =>
        transport.sendMail({
          from: 'Carol <carol@remote.example>',
          to: 'bob@nodemailer.example',
          subject,
          text: '.\n..\nlines with dots\n.',
          attachments: [{ filename: 'bytes.bin', content: attachment }],
        }),
      ),
    );
    await assert.rejects(
      transport.sendMail({ from: 'carol@remote.example', to: 'x@elsewhere.example', text: 'x' }),
      /550 5\.7\.1/,
    );
    transport.close();
    const client = await ImapClient.login(estate.listeners.imap, 'bob@nodemailer.example', PASSWORD);
    const messages = await client.fetchAll();
    assert.equal(messages.length, subjects.length);
    const base64 = attachment.toString('base64').slice(0, 76);
    for (const { body } of messages) assert.ok(body.includes(base64) && body.includes('\r\nlines with dots\r\n'));
    await client.logout();
  });

  test('ldapts reads what ldapadd wrote; the clear password is not there', { skip: need }, async () => {
    const client = await administrator(estate);
    const { searchEntries } = await client.search(userDn('ann@acme.example'), {
      scope: 'base',
      attributes: ['*', '+'],
    });
    await client.unbind();
    const entry = searchEntries[0]!;
    assert.equal(entry['mail'], 'ann@acme.example');
    assert.match(String(entry['userPassword']), /^\{ARGON2\}\$argon2id\$/);
    assert.match(String(entry['entryUUID']), /^[0-9a-f-]{36}$/);
  });

  test('ldapts as a user: the own entry, no other; the old password is no more at IMAP at once', async () => {
    const [dora, eve] = await populate(estate, 'own.example', ['dora', 'eve']);
    const { imap } = estate.listeners;
    // Logged in once: what a thread remembers of the old password must go, too.
    await (await ImapClient.login(imap, dora!.login, PASSWORD)).logout();
    const client = new Client({ url: `ldap://${at('ldap').join(':')}`, timeout: 120_000 });
    const own = userDn(dora!.login);
    await client.bind(own, PASSWORD);
    const { searchEntries } = await client.search(own, { scope: 'base' });
    assert.equal(searchEntries[0]?.['mail'], dora!.login);
    await assert.rejects(client.search(userDn(eve!.login), { scope: 'base' }), { code: 32 });
    await replaceAttribute(client, own, 'userPassword', ['brand new']);
    await assert.rejects(ImapClient.login(imap, dora!.login, PASSWORD), /NO \[AUTHENTICATIONFAILED\]/);
    await (await ImapClient.login(imap, dora!.login, 'brand new')).logout();
    await client.unbind();
  });

  test('nodemailer submits with a login', async () => {
    const [fay] = await populate(estate, 'submits.example', ['fay']);
    const [host, port] = at('submission');
    const transport = createTransport({
      host,
      port: Number(port),
      tls: trusted(),
      auth: { user: fay!.login, pass: PASSWORD },
    });
    const { response } = await transport.sendMail({ from: fay!.login, to: fay!.login, subject: 'mine', text: 'x' });
    assert.match(response, /^250 2\.0\.0 queued as \w+$/);
    transport.close();
    const client = await ImapClient.login(estate.listeners.imap, fay!.login, PASSWORD);
    assert.equal(await client.count(), 1);
    await client.logout();
  });

  test('removed: refused in the same second, the login too', { skip: need }, async () => {
    const removed = await run(ldapdelete.path, [...ldapArguments(), userDn('ann@acme.example')]);
    assert.equal(removed.code, 0, removed.stderr);
    assert.match((await send('smtp', ['ann@acme.example'])).stdout, /<\*\* 550 5\.1\.1 /);
    await assert.rejects(ImapClient.login(estate.listeners.imap, 'ann@acme.example', PASSWORD));
  });
});

/** Runs a command on a terminal; gives what it showed. A line `ready` to standard input sends the interrupt character. */
const TERMINAL = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execv(sys.argv[1], sys.argv[1:])
shown = b''
while True:
    try: chunk = os.read(terminal, 65536)
    except OSError: break
    if not chunk: break
    shown += chunk
    if b'Ctrl-C' in shown and b'^C' not in shown: os.write(terminal, b'\\x03')
os.write(1, shown)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;

describe('npm start', { skip: python.skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-start-'));
  const data = join(folder, 'data');
  after(() => rmSync(folder, { recursive: true, force: true }));

  async function start(): Promise<string> {
    const command = [join(root, 'waypost'), 'serve', '--development', '--data', data];
    const child = spawn(python.path, ['-c', TERMINAL, ...command], {
      cwd: folder,
      env: { ...process.env, WAYPOST_PORT_OFFSET: 'auto', WAYPOST_DATA: '', WAYPOST_HOSTNAME: '', WAYPOST_LISTEN: '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let shown = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text;
    });
    const code = await new Promise((done) => child.once('close', done));
    assert.equal(code, 0, `Ctrl-C ends it with 0\n${shown}`);
    return shown.replaceAll('\r\n', '\n');
  }

  test('on a terminal: the ready line and a panel; a second start keeps data and password', async () => {
    const first = await start();
    const ready = JSON.parse(/^\{"event":"ready".*\}$/m.exec(first)![0]);
    const plain = ['smtp', 'submission', 'imap', 'pop3', 'ldap', 'dns', 'http'];
    for (const door of [...plain, 'submissions', 'imaps', 'pop3s', 'ldaps', 'https'])
      assert.match(ready.listeners[door], /^127\.0\.0\.1:\d+$/, door);
    const password = readFileSync(join(data, 'admin-password'), 'utf8').trim();
    assert.equal(statSync(join(data, 'admin-password')).mode & 0o777, 0o600);
    assert.ok(first.includes(password), 'the panel shows the password once');
    for (const words of ['cn=Directory Manager', data, './waypost domain add', 'ldapsearch', ready.listeners.ldap])
      assert.ok(first.includes(words), words);
    const second = await start();
    assert.ok(!second.includes(password), 'and not again');
    assert.equal(readFileSync(join(data, 'admin-password'), 'utf8').trim(), password);
    assert.equal(JSON.parse(/^\{"event":"ready".*\}$/m.exec(second)![0]).hostname, ready.hostname);
    assert.ok(!existsSync(join(folder, 'waypost.toml')), 'nothing is written beside the data');
  });

  test('what npm start runs is the launcher, in development', async () => {
    const { stdout } = await promisify(execFile)('npm', ['pkg', 'get', 'scripts.start'], { cwd: root });
    assert.equal(JSON.parse(stdout), 'exec ./waypost serve --development');
  });
});
