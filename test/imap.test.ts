// IMAP as its users' programs speak it, Python's imaplib, curl, mbsync and imapflow, against a started Waypost.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { ImapFlow } from 'imapflow';
import { ImapClient } from '../src/demo/clients/imap-client.ts';
import { LineConnection } from '../src/demo/clients/line-connection.ts';
import { createTestEstate, type TestEstate } from '../src/estate/estate.ts';
import { type Person, populate } from './support/directory.ts';
import { peer } from './support/peers.ts';

const run = promisify(execFile);
const python = peer('python3');
const curl = peer('curl');
const mbsync = peer('mbsync');

/** What an account gets at its first login. */
const FIRST_FOLDERS = ['Archive', 'Drafts', 'Junk', 'Sent', 'Trash'];

const PLAIN = 'From: carol@remote.example\r\nSubject: plain\r\n\r\nText.\r\n';
const OCTETS = `Subject: octets\r\n\r\n${String.fromCharCode(...Array.from({ length: 127 }, (_, i) => 129 + i))}\r\n`;
const LARGE = `Subject: large\r\n\r\n${'A line of a large message, again and again.\r\n'.repeat(70_000)}`;

let estate: TestEstate;
let people: Person[];
before(async () => {
  estate = await createTestEstate();
  people = await populate(estate, 'acme.example', ['ann', 'ben', 'cid', 'dora', 'eve']);
});
after(() => estate?.close());

async function fill({ login, password }: Person, ...messages: readonly string[]): Promise<void> {
  const client = await ImapClient.login(estate.listeners.imap, login, password);
  for (const message of messages) await client.append('INBOX', Buffer.from(message, 'latin1'));
  await client.logout();
}

/** A session by imaplib; prints what it saw as JSON, octets as latin1. */
const IMAPLIB = `
import imaplib, json, sys
host, port, login, password = sys.argv[1:]
box = imaplib.IMAP4(host, int(port), timeout=15)
def text(answer): return answer[1][0].decode('latin1')
try:
    box.login(login, 'wrong'); refusal = ''
except imaplib.IMAP4.error as error: refusal = str(error)
box.login(login, password)
seen = {'refusal': refusal, 'append': text(box.append('INBOX', '(\\\\Flagged)', None, b'Subject: x\\r\\n\\r\\n\\xff\\r\\n'))}
seen['exists'] = text(box.select())
count = int(seen['exists'])
seen['messages'] = [box.fetch(str(n + 1), '(RFC822)')[1][0][1].decode('latin1') for n in range(count)]
seen['flags'] = text(box.fetch('1', '(FLAGS)'))
seen['search'] = text(box.search(None, 'FLAGGED', 'SUBJECT', 'x'))
box.store('1', '+FLAGS', '(\\\\Deleted)')
box.create('Folder/Sub')
box.copy('2', 'Folder/Sub')
seen['folders'] = sorted(line.decode() for line in box.list()[1])
seen['expunge'] = text(box.expunge())
seen['status'] = text(box.status('Folder/Sub', '(MESSAGES UNSEEN)'))
box.close(); box.logout()
print(json.dumps(seen))
`;

test('imaplib: append, read byte for byte, flags, search, folders, expunge', { skip: python.skip }, async () => {
  const ann = people[0]!;
  await fill(ann, PLAIN, OCTETS, LARGE);
  const { host, port } = estate.listeners.imap;
  const { stdout } = await run(python.path, ['-c', IMAPLIB, host, String(port), ann.login, ann.password], {
    maxBuffer: 2 ** 25,
  });
  const seen = JSON.parse(stdout);
  assert.match(seen.refusal, /AUTHENTICATIONFAILED/);
  assert.match(seen.append, /^\[APPENDUID \d+ 4\]/);
  assert.deepEqual(seen.messages, [PLAIN, OCTETS, LARGE, 'Subject: x\r\n\r\n\xff\r\n']);
  assert.match(seen.flags, /^1 \(FLAGS \(\\Seen( \\Recent)?\)\)$/);
  assert.equal(seen.search, '4');
  assert.deepEqual(seen.folders, [
    '(\\HasChildren) "/" Folder',
    ...FIRST_FOLDERS.map((name) => `(\\HasNoChildren \\${name}) "/" ${name}`),
    '(\\HasNoChildren) "/" Folder/Sub',
    '(\\HasNoChildren) "/" INBOX',
  ]);
  assert.equal(seen.expunge, '1');
  assert.match(seen.status, /Folder\/Sub \(MESSAGES 1 UNSEEN 0\)/);
});

test('curl: uploads, lists, searches, reads byte for byte', { skip: curl.skip }, async () => {
  const ben = people[1]!;
  const { host, port } = estate.listeners.imap;
  const folder = mkdtempSync(join(tmpdir(), 'waypost-curl-'));
  const call = async (path: string, ...options: readonly string[]): Promise<string> => {
    const user = ['--user', `${ben.login}:${ben.password}`, '--max-time', '180', '--silent', '--show-error'];
    const url = `imap://${host}:${port}/${path}`;
    return (await run(curl.path, [...user, ...options, url], { encoding: 'latin1', maxBuffer: 2 ** 24 })).stdout;
  };
  try {
    writeFileSync(join(folder, 'message'), OCTETS, 'latin1');
    await call('INBOX', '--upload-file', join(folder, 'message'));
    assert.equal(await call('INBOX;UID=1'), OCTETS);
    assert.equal(await call('INBOX;UID=1;SECTION=TEXT'), OCTETS.slice(OCTETS.indexOf('\r\n\r\n') + 4));
    assert.equal(await call('INBOX?SUBJECT%20octets'), '* SEARCH 1\r\n');
    for (const name of FIRST_FOLDERS.slice(1)) await call('', '--request', `DELETE ${name}`);
    const listed = '* LIST (\\HasNoChildren \\Archive) "/" Archive\r\n* LIST (\\HasNoChildren) "/" INBOX\r\n';
    assert.equal(await call(''), listed);
    assert.equal(await call('', '--login-options', 'AUTH=LOGIN'), listed);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('mbsync: mailboxes and flags go both ways', { skip: mbsync.skip }, async () => {
  const cid = people[2]!;
  await fill(cid, PLAIN, OCTETS);
  const { host, port } = estate.listeners.imap;
  const folder = mkdtempSync(join(tmpdir(), 'waypost-mbsync-'));
  const local = join(folder, 'mail');
  mkdirSync(local);
  const account = `IMAPAccount w\nHost ${host}\nPort ${port}\nUser ${cid.login}\nPass ${cid.password}\nSSLType None\nAuthMechs *\n`;
  const stores = `IMAPStore far\nAccount w\n\nMaildirStore near\nPath ${local}/\nInbox ${local}/INBOX\nSubFolders Verbatim\n`;
  const channel = 'Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n';
  writeFileSync(join(folder, 'rc'), `${account}\n${stores}\n${channel}`);
  const synchronize = () => run(mbsync.path, ['-c', join(folder, 'rc'), '-a'], { timeout: 180_000 });
  const files = (mailbox: string) =>
    ['new', 'cur'].flatMap((part) =>
      readdirSync(join(local, mailbox, part)).map((name) => join(local, mailbox, part, name)),
    );
  try {
    await synchronize();
    // mbsync marks what it copies in a field of its own.
    const texts = files('INBOX').map((file) => readFileSync(file, 'latin1').replace(/^X-TUID: .*\n/m, ''));
    assert.deepEqual(texts.sort(), [PLAIN, OCTETS].map((text) => text.replaceAll('\r\n', '\n')).sort());
    for (const part of ['new', 'cur', 'tmp']) mkdirSync(join(local, 'Drafts', part), { recursive: true });
    writeFileSync(join(local, 'Drafts', 'cur', '1.x:2,S'), 'Subject: from here\n\nx\n');
    await synchronize();
    const client = await ImapClient.login(estate.listeners.imap, cid.login, cid.password);
    assert.equal(await client.count('Drafts'), 1);
    await client.command('SELECT INBOX');
    await client.command('STORE 1 +FLAGS (\\Deleted)');
    await client.command('EXPUNGE');
    await client.logout();
    await synchronize();
    assert.equal(files('INBOX').length, 1);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('imapflow: a whole session, and changes while it idles', { timeout: 300_000 }, async () => {
  const dora = people[3]!;
  const { host, port } = estate.listeners.imap;
  const auth = { user: dora.login, pass: dora.password };
  const client = new ImapFlow({ host, port, secure: false, doSTARTTLS: false, auth, logger: false });
  await client.connect();
  const lock = await client.getMailboxLock('INBOX');
  try {
    const appended = await client.append('INBOX', Buffer.from(LARGE), ['\\Flagged', '$Work']);
    assert.ok(appended !== false && appended.uid === 1);
    const found = await client.fetchOne('*', { source: true, flags: true, envelope: true, bodyStructure: true });
    assert.ok(found !== false);
    assert.equal(found.source?.toString('latin1'), LARGE);
    assert.equal(found.envelope?.subject, 'large');
    assert.deepEqual([...(found.flags ?? [])].filter((flag) => flag !== '\\Recent').sort(), ['$Work', '\\Flagged']);
    assert.deepEqual(await client.search({ keyword: '$Work', larger: 1_000_000 }), [1]);
    const moved = await client.messageMove('1', 'Sent');
    assert.ok(moved !== false && moved.uidMap?.get(1) === 1);
    assert.deepEqual((await client.list()).map(({ path, specialUse }) => [path, specialUse]).sort(), [
      ['Archive', '\\Archive'],
      ['Drafts', '\\Drafts'],
      ['INBOX', '\\Inbox'],
      ['Junk', '\\Junk'],
      ['Sent', '\\Sent'],
      ['Trash', '\\Trash'],
    ]);
    const changed = new Promise<{ count: number }>((resolve) => client.once('exists', resolve));
    const idling = client.idle();
    await fill(dora, PLAIN);
    assert.equal((await changed).count, 1);
    await client.noop();
    await idling;
    const status = await client.status('INBOX', { messages: true });
    assert.ok(status !== false && status.messages === 1);
  } finally {
    lock.release();
    await client.logout();
  }
});

test('POP3 logins make no folders; the first IMAP login makes and subscribes them, with what they are for', async () => {
  const eve = people[4]!;
  const pop3 = await LineConnection.open(estate.listeners.pop3.host, estate.listeners.pop3.port);
  assert.match(await pop3.line(), /^\+OK/);
  for (const line of [`USER ${eve.login}`, `PASS ${eve.password}`, 'QUIT']) {
    pop3.write(`${line}\r\n`);
    assert.match(await pop3.line(), /^\+OK/);
  }
  const database = new DatabaseSync(join(estate.data, 'store.db'), { readOnly: true, timeout: 5000 });
  const furnished = () =>
    database.prepare('SELECT count(DISTINCT account) AS n FROM mailbox WHERE name = ?').get('Trash')?.['n'];
  const before = furnished();
  const client = await ImapClient.login(estate.listeners.imap, eve.login, eve.password);
  assert.equal(Number(furnished()), Number(before) + 1);
  database.close();
  const listed = async (command: string) => (await client.command(command)).untagged.map(({ text }) => text);
  assert.deepEqual(
    await listed('LSUB "" *'),
    FIRST_FOLDERS.map((name) => `LSUB () "/" ${name}`),
  );
  const folders = FIRST_FOLDERS.map((name) => `LIST (\\HasNoChildren \\${name}) "/" ${name}`);
  assert.deepEqual(await listed('LIST "" *'), [...folders, 'LIST (\\HasNoChildren) "/" INBOX'].sort(byName));
  await client.logout();
});

function byName(one: string, other: string): number {
  return one.slice(one.lastIndexOf(' ')) < other.slice(other.lastIndexOf(' ')) ? -1 : 1;
}
