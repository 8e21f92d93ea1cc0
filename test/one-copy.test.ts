// One copy: a message for twenty users, by name or by a list, is stored once, with status of each one's own.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { type FetchedMessage, ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { createTestEstate, type TestEstate } from '../src/estate/estate.ts';
import { administrator, domainDn, populate, userDn } from './support/directory.ts';
import { until } from './support/until.ts';

const NAMES = Array.from({ length: 20 }, (_, i) => `u${i + 1}`);
const ADDRESSES = NAMES.map((name) => `${name}@acme.example`);
const BODY = Buffer.from(`Subject: one\r\n\r\n${`${'x'.repeat(70)}\r\n`.repeat(3000)}`);

interface Stored {
  readonly messages: number;
  readonly references: number;
  readonly bytes: number;
}

function stored({ data }: TestEstate): Stored {
  const database = new DatabaseSync(join(data, 'store.db'), { readOnly: true, timeout: 5000 });
  const count = (table: string): number => Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.['n']);
  const rows = { messages: count('message'), references: count('mailbox_message') };
  database.close();
  const segments = join(data, 'segments');
  const bytes = readdirSync(segments).reduce((sum, name) => sum + statSync(join(segments, name)).size, 0);
  return { ...rows, bytes };
}

const isFlagged = ({ flags }: FetchedMessage): boolean => flags.includes('\\Flagged');

test('twenty recipients: one message, its bytes once, twenty references; flags are each one’s own', async () => {
  await using estate = await createTestEstate();
  const people = await populate(estate, 'acme.example', NAMES);
  const ldap = await administrator(estate);
  await ldap.add(`cn=all,ou=Groups,${domainDn('acme.example')}`, {
    objectClass: ['groupOfUniqueNames', 'inetMailGroup', 'inetLocalMailRecipient'],
    cn: 'all',
    mail: 'all@acme.example',
    uniqueMember: ADDRESSES.map(userDn),
  });
  await ldap.unbind();

  const smtp = await SmtpClient.open(estate.listeners.smtp);
  for (const recipients of [ADDRESSES, ['all@acme.example'], ['all@acme.example', ...ADDRESSES]]) {
    const before = stored(estate);
    await smtp.send('carol@remote.example', recipients, BODY);
    const now = stored(estate);
    assert.equal(now.messages - before.messages, 1);
    assert.equal(now.references - before.references, 20);
    const grown = now.bytes - before.bytes;
    assert.ok(grown > BODY.length && grown < 1.05 * BODY.length, `${grown} bytes for a message of ${BODY.length}`);
  }
  await smtp.quit();

  const [first, second] = await Promise.all(
    people.slice(0, 2).map(({ login, password }) => ImapClient.login(estate.listeners.imap, login, password)),
  );
  await first!.command('SELECT INBOX');
  await first!.command('STORE 1 +FLAGS.SILENT (\\Flagged)');
  await first!.command('STORE 2 +FLAGS.SILENT (\\Deleted)');
  await first!.command('EXPUNGE');
  const own = await first!.fetchAll();
  const others = await second!.fetchAll();
  assert.deepEqual(own.map(isFlagged), [true, false]);
  assert.deepEqual(others.map(isFlagged), [false, false, false]);
  for (const { body } of [...own, ...others])
    assert.ok(body.toString('latin1').endsWith(BODY.toString('latin1')), 'not byte for byte');
  await first!.logout();
  await second!.logout();
});

test('two hundred recipients and copies of them are 1.2 copies at most; the same file appended 200 times 1.2 more', async () => {
  await using estate = await createTestEstate();
  const names = Array.from({ length: 200 }, (_, i) => `u${i + 1}`);
  const people = await populate(estate, 'acme.example', names);
  const lines = Array.from({ length: 1300 }, (_, i) => createHash('sha384').update(String(i)).digest('base64'));
  const body = Buffer.from(`Subject: large\r\n\r\n${lines.map((line) => `${line}0123456789\r\n`).join('')}`);
  assert.ok(body.length > 95_000 && body.length < 105_000);
  const before = stored(estate);
  const smtp = await SmtpClient.open(estate.listeners.smtp);
  await smtp.send(
    'carol@remote.example',
    people.map(({ login }) => login),
    body,
  );
  await smtp.quit();
  const { login, password } = people[0]!;
  const imap = await ImapClient.login(estate.listeners.imap, login, password);
  await imap.command('CREATE Folder');
  await imap.command('SELECT INBOX');
  for (let i = 0; i < 20; i++) await imap.command('COPY 1 Folder');
  const delivered = stored(estate);
  assert.equal(delivered.references - before.references, 220);
  assert.ok(delivered.bytes - before.bytes < 1.2 * body.length, `${delivered.bytes - before.bytes} bytes`);

  for (let i = 0; i < 200; i++) await imap.append('Folder', body);
  await imap.logout();
  const appended = stored(estate);
  assert.equal(appended.messages - delivered.messages, 1);
  assert.equal(appended.references - delivered.references, 200);
  // Dead bytes go by themselves.
  await until('1.2 more', () => stored(estate).bytes - delivered.bytes < 1.2 * body.length);
  const other = await ImapClient.login(estate.listeners.imap, login, password);
  const found = await other.fetchAll('Folder');
  assert.equal(found.length, 220);
  for (const message of found.slice(20)) assert.ok(message.body.equals(body), 'not byte for byte');
  await other.logout();
});
