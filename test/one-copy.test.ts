// One copy: a message for twenty users, by name or by a list, is stored once, with status of each one's own.

import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { type FetchedMessage, ImapClient } from '../src/demo/clients/imap-client.ts';
import { SmtpClient } from '../src/demo/clients/smtp-client.ts';
import { createTestEstate, type TestEstate } from '../src/estate/estate.ts';
import { administrator, domainDn, populate, userDn } from './support/directory.ts';

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
