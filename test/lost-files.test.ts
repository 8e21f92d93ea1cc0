// Files of the data directory that somebody takes away, or puts an older copy of in their place: each is named, none comes up
// silently wrong, and what is put back is used again.

import assert from 'node:assert/strict';
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { AdminClient } from '../src/cli/client.ts';
import { ImapClient, ImapRefusal } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { StartFailure } from '../src/estate/server-child.ts';
import { type Person, populate } from './support/directory.ts';
import { startWaypost, type Waypost } from './support/server.ts';

let server: Waypost;
let ann: Person;
/** In a folder of its own: copies lie beside it. */
let data: string;
/** Subjects of what has been acknowledged; each test leaves the store with all of them. */
const sent: string[] = [];

before(async () => {
  data = join(mkdtempSync(join(tmpdir(), 'waypost-lost-')), 'data');
  server = await startWaypost({ data });
  [ann] = (await populate(server, 'acme.example', ['ann'])) as [Person];
});
after(async () => {
  await server.stop();
  rmSync(resolve(data, '..'), { recursive: true });
});

async function deliver(subject: string): Promise<void> {
  const smtp = await SmtpClient.open(server.listeners.smtp);
  const message = Buffer.from(`Subject: ${subject}\r\n\r\nbody\r\n`);
  assert.equal((await smtp.send('carol@remote.example', [ann.login], message)).code, 250);
  await smtp.quit();
  sent.push(subject);
}

const at = (name: string): string => join(data, name);
const segmentNames = (): string[] => readdirSync(at('segments')).sort();

async function refused(words: RegExp): Promise<void> {
  await assert.rejects(server.restart(), (error: unknown) => {
    assert.ok(error instanceof StartFailure);
    assert.deepEqual([error.exit?.code, words.test(error.stderr)], [75, true], error.stderr);
    return true;
  });
}

async function texts(): Promise<readonly string[]> {
  const imap = await ImapClient.login(server.listeners.imap, ann.login, ann.password);
  const found = await imap.fetchAll();
  await imap.logout();
  return found.map(({ body }) => /Subject: (\w+)/.exec(body.toString())?.[1] ?? '');
}

test('without its database, or with an empty one, or without its log, a store is refused and not begun anew', async () => {
  await deliver('first');
  await server.kill9();
  const whole = `${data}.whole`;
  cpSync(data, whole, { recursive: true });
  const names = segmentNames();
  for (const name of ['store.db', 'store.db-wal', 'store.db-shm']) rmSync(at(name));
  await refused(/store\.db is missing or empty, and .*segments holds mail/);
  writeFileSync(at('store.db'), '');
  await refused(/store\.db is missing or empty, and .*segments holds mail/);
  assert.deepEqual(segmentNames(), names);
  for (const name of ['store.db', 'store.db-shm']) cpSync(join(whole, name), at(name));
  await refused(/store\.db-wal is missing/);
  cpSync(join(whole, 'store.db-wal'), at('store.db-wal'));
  await server.restart();
  assert.deepEqual(await texts(), sent);
});

test('a second server is refused whose lock somebody has removed', async () => {
  rmSync(at('lock'));
  await assert.rejects(startWaypost({ data }), (error: unknown) => {
    assert.ok(error instanceof StartFailure);
    assert.deepEqual([error.exit?.code, /is in use by another server/.test(error.stderr)], [75, true], error.stderr);
    return true;
  });
  await deliver('second');
  assert.deepEqual(await texts(), sent);
});

test('a segment that is gone is named, and its messages are unavailable, not gone', async () => {
  await deliver('third');
  await server.kill9();
  const [name] = segmentNames().filter((one) => statSync(at(`segments/${one}`)).size > 0);
  renameSync(at(`segments/${name}`), at('kept'));
  const since = server.stderr().length;
  await server.restart();
  await server.said(new RegExp(`"file":"${name}","messages":1.*store.segment-missing`), since);
  await deliver('fourth');
  const imap = await ImapClient.login(server.listeners.imap, ann.login, ann.password);
  await imap.command('SELECT INBOX');
  for (const command of ['UID FETCH 1:* (BODY.PEEK[])', 'FETCH 1 (BODY.PEEK[])', 'UID SEARCH BODY "body"'])
    await assert.rejects(imap.command(command), (error: unknown) => {
      assert.ok(error instanceof ImapRefusal && /UNAVAILABLE/.test(error.message), `${command}: ${String(error)}`);
      return true;
    });
  await imap.logout();
  await server.kill9();
  renameSync(at('kept'), at(`segments/${name}`));
  await server.restart();
  assert.deepEqual(await texts(), sent);
});

test('a damaged message is SERVERBUG, named in the log and by the checker; others are read, and undamaged it is there again', async () => {
  await deliver('damaged');
  await deliver('whole');
  await server.kill9();
  const path = at(
    `segments/${segmentNames().findLast((one) => readFileSync(at(`segments/${one}`)).includes('damaged'))}`,
  );
  const bytes = readFileSync(path);
  writeFileSync(path, Buffer.from(bytes.toString('latin1').replace('Subject: damaged', 'Subject: DAMAGED'), 'latin1'));
  await server.restart();
  const imap = await ImapClient.login(server.listeners.imap, ann.login, ann.password);
  await imap.command('SELECT INBOX');
  const number = sent.indexOf('damaged') + 1;
  const since = server.stderr().length;
  for (const part of ['', 'TEXT', 'HEADER.FIELDS (SUBJECT)'])
    await assert.rejects(imap.command(`FETCH ${number} (BODY.PEEK[${part}])`), (error: unknown) => {
      assert.ok(error instanceof ImapRefusal && /NO \[SERVERBUG\]/.test(error.message), String(error));
      return true;
    });
  await server.said(/"kind":"damaged"/, since);
  const { untagged } = await imap.command(`FETCH ${number + 1} (BODY.PEEK[])`);
  assert.ok(untagged[0]!.literals[0]!.includes('Subject: whole'));
  await imap.logout();
  const problems = await new AdminClient(data).call('mailbox.check', { bytes: true });
  assert.deepEqual(
    problems.map(({ problem }) => problem),
    ['record checksum'],
  );
  await server.kill9();
  writeFileSync(path, bytes);
  await server.restart();
  assert.deepEqual(await texts(), sent);
});

test('an older store.db: what came since is kept aside, and is there again with the database that knows it', async () => {
  await server.stop();
  const before = [...sent];
  const older = `${data}.older`;
  const newer = `${data}.newer`;
  cpSync(at('store.db'), older);
  await server.restart();
  await deliver('fifth');
  await server.stop();
  cpSync(at('store.db'), newer);
  const names = segmentNames();
  cpSync(older, at('store.db'));
  const since = server.stderr().length;
  await server.restart();
  await server.said(/store\.segment-aside/, since);
  assert.deepEqual(await texts(), before);
  await server.stop();
  cpSync(newer, at('store.db'));
  await server.restart();
  assert.deepEqual(await texts(), sent);
  for (const name of names) assert.ok(segmentNames().includes(name));
});

// The last one: nothing puts the database right again.
test('a damaged database ends the start with what to do', async () => {
  await server.kill9();
  rmSync(at('store.db-wal'));
  rmSync(at('store.db-shm'));
  truncateSync(at('store.db'), 3 * 4096);
  await assert.rejects(server.restart(), (error: unknown) => {
    assert.ok(error instanceof StartFailure);
    assert.deepEqual(
      [error.exit?.code, /damaged, put a backup in its place/.test(error.stderr)],
      [74, true],
      error.stderr,
    );
    return true;
  });
});
