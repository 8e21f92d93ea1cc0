// IMAP clients of people who live in a terminal: offlineimap brings and takes, neomutt in tmux reads, flags and deletes. What they
// do stands at the server afterwards, octet by octet. INTEROP=long (`npm run interop`) runs it.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { ImapClient } from '../../src/demo/clients/imap-client.ts';
import { createTestEstate, type TestEstate } from '../../src/estate/estate.ts';
import { type Person, populate } from '../support/directory.ts';
import { peersMissing } from '../support/peers.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const skip = process.env['INTEROP'] === 'long' ? false : 'INTEROP=long';
const noOfflineimap = skip || peersMissing('offlineimap');
const noNeomutt = skip || peersMissing('neomutt', 'tmux');
const PATIENCE_MS = 120_000;

let estate: TestEstate;
let ann: Person;
let bob: Person;
let folder: string;
before(async () => {
  if (skip !== false) return;
  estate = await createTestEstate();
  [ann, bob] = (await populate(estate, 'acme.example', ['ann', 'bob'])) as [Person, Person];
  folder = mkdtempSync(join(tmpdir(), 'waypost-clients-'));
});
after(async () => {
  await estate?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

function message(subject: string): string {
  return `From: carol@remote.example\r\nTo: ann@acme.example\r\nDate: Sat, 28 Nov 2026 10:00:00 +0000\r\nMessage-ID: <${subject}@remote.example>\r\nSubject: ${subject}\r\n\r\nText of ${subject}.\r\n`;
}

const login = ({ login, password }: Person) => ImapClient.login(estate.listeners.imap, login, password);

async function fill(person: Person, ...subjects: readonly string[]): Promise<void> {
  const client = await login(person);
  for (const subject of subjects) await client.append('INBOX', Buffer.from(message(subject), 'latin1'));
  await client.logout();
}

/** `UID subject flags` of each message. */
async function stands(person: Person, mailbox: string): Promise<string[]> {
  const client = await login(person);
  await client.command(`EXAMINE ${mailbox}`);
  const { untagged } = await client.command('UID FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])');
  await client.logout();
  return untagged
    .filter(({ text, literals }) => text.includes(' FETCH ') && literals.length > 0)
    .map(({ text, literals }) => {
      const subject = /^Subject: (\S+)/m.exec(literals[0]!.toString('latin1'))![1]!;
      const flags = /FLAGS \(([^)]*)\)/.exec(text)![1]!.split(' ');
      return [subject, ...flags.filter((flag) => flag !== '' && flag !== '\\Recent').sort()].join(' ');
    })
    .sort();
}

test('offlineimap: what is there comes, what is here goes, and flags and removals go both ways', {
  skip: noOfflineimap,
  timeout: 600_000,
}, async () => {
  await fill(ann, 'one', 'two', 'three');
  const local = join(folder, 'maildir');
  const { host, port } = estate.listeners.imap;
  const rc = join(folder, 'offlineimaprc');
  writeFileSync(
    rc,
    [
      '[general]',
      'accounts = waypost',
      `metadata = ${join(folder, 'offlineimap')}`,
      'socktimeout = 60',
      '[Account waypost]',
      'localrepository = here',
      'remoterepository = there',
      '[Repository here]',
      'type = Maildir',
      `localfolders = ${local}`,
      '[Repository there]',
      'type = IMAP',
      `remotehost = ${host}`,
      `remoteport = ${port}`,
      'ssl = no',
      'starttls = no',
      'auth_mechanisms = LOGIN',
      `remoteuser = ${ann.login}`,
      `remotepass = ${ann.password}`,
      '',
    ].join('\n'),
  );
  const synchronize = () => run('offlineimap', ['-c', rc, '-o', '-u', 'quiet'], { timeout: 120_000 });
  const files = () =>
    ['new', 'cur'].flatMap((part) =>
      readdirSync(join(local, 'INBOX', part)).map((name) => join(local, 'INBOX', part, name)),
    );
  const subjectOf = (file: string) => /^Subject: (.*?)\r?$/m.exec(readFileSync(file, 'latin1'))![1]!;
  await synchronize();
  assert.deepEqual(files().map(subjectOf).sort(), ['one', 'three', 'two']);
  writeFileSync(join(local, 'INBOX', 'cur', '1.here.x:2,F'), message('from-here').replaceAll('\r\n', '\n'));
  const two = files().find((file) => subjectOf(file) === 'two')!;
  rmSync(two);
  const client = await login(ann);
  await client.command('SELECT INBOX');
  await client.command('STORE 1 +FLAGS (\\Answered)');
  await client.command('STORE 3 +FLAGS (\\Deleted)');
  await client.command('EXPUNGE');
  await client.logout();
  await synchronize();
  assert.deepEqual(await stands(ann, 'INBOX'), ['from-here \\Flagged', 'one \\Answered']);
  await synchronize();
  assert.deepEqual(files().map(subjectOf).sort(), ['from-here', 'one']);
  assert.ok(
    files().some((file) => subjectOf(file) === 'one' && /:2,.*R/.test(file)),
    'the answered one says so here',
  );
});

test('neomutt in tmux: reads, flags, deletes and saves to a folder', {
  skip: noNeomutt,
  timeout: 600_000,
}, async () => {
  await fill(bob, 'first', 'second', 'third');
  const { host, port } = estate.listeners.imap;
  const rc = join(folder, 'muttrc');
  mkdirSync(join(folder, 'mutt'), { recursive: true });
  writeFileSync(
    rc,
    [
      `set imap_user = "${bob.login}"`,
      `set imap_pass = "${bob.password}"`,
      'set ssl_starttls = no',
      'set ssl_force_tls = no',
      `set folder = "imap://${host}:${port}/"`,
      'set spoolfile = "+INBOX"',
      'set imap_authenticators = "login"',
      'set sort = date-received',
      'set confirmappend = no',
      'set confirmcreate = no',
      'set delete = yes',
      'set wait_key = no',
      'set quit = yes',
      'set imap_idle = yes',
      'set mail_check = 2',
      'set timeout = 2',
      `set tmpdir = "${join(folder, 'mutt')}"`,
      '',
    ].join('\n'),
  );
  const socket = join(folder, 'tmux');
  const tmux = (...words: readonly string[]) =>
    execFileSync('tmux', ['-S', socket, '-f', '/dev/null', ...words], { encoding: 'utf8' });
  const screen = () => tmux('capture-pane', '-p', '-t', 'mutt');
  const shows = (pattern: RegExp) => until(`${pattern} on the screen`, () => pattern.test(screen()), PATIENCE_MS);
  const env = { ...process.env, TERM: 'xterm', HOME: folder, LANG: 'C.UTF-8' };
  execFileSync(
    'tmux',
    ['-S', socket, '-f', '/dev/null', 'new-session', '-d', '-s', 'mutt', '-x', '120', '-y', '30', 'neomutt', '-F', rc],
    { env },
  );
  try {
    await shows(/third/);
    tmux('send-keys', '-t', 'mutt', '1', 'Enter');
    tmux('send-keys', '-t', 'mutt', 'Enter');
    await shows(/Text of first/);
    tmux('send-keys', '-t', 'mutt', 'i');
    await shows(/second/);
    tmux('send-keys', '-t', 'mutt', '2', 'Enter', 'F');
    tmux('send-keys', '-t', 'mutt', '3', 'Enter', 's');
    await shows(/Save to mailbox/);
    tmux('send-keys', '-t', 'mutt', 'C-u');
    tmux('send-keys', '-t', 'mutt', '+Archive', 'Enter');
    await until('the message in the folder', async () => (await stands(bob, 'Archive')).length === 1, PATIENCE_MS);
    tmux('send-keys', '-t', 'mutt', '$');
    await until('the folder without it', async () => (await stands(bob, 'INBOX')).length === 2, PATIENCE_MS);
    // A change of another session comes without being asked for.
    await fill(bob, 'fourth');
    await shows(/fourth/);
    tmux('send-keys', '-t', 'mutt', 'q');
  } finally {
    tmux('kill-server');
  }
  assert.deepEqual(await stands(bob, 'INBOX'), ['first \\Seen', 'fourth', 'second \\Flagged']);
  assert.deepEqual(
    (await stands(bob, 'Archive')).map((line) => line.split(' ')[0]),
    ['third'],
  );
});
