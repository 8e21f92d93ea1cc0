// The checker names every illegal state that a test can make, and nothing else.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type AccountId, idOf } from '../base/ids.ts';
import { operation } from '../database/operation.ts';
import { addDomain, addGroup, addUser, userDn } from '../provisioning/testing.ts';
import { TestTransfer } from '../transfer/testing.ts';
import { createMailbox } from './mailboxes.ts';
import { assignQuotaRoot } from './quota.ts';

const spoil = operation('test.spoil', async (tx, statements: readonly string[]) => {
  for (const statement of statements) await tx.run(statement);
});

/** Two messages: one for ann and bob, one for ann and a queue row; their segment. */
async function open(context: TestContext) {
  const transfer = await TestTransfer.open();
  context.after(() => transfer.close({ isSpoiled: true }));
  await transfer.directory.apply(
    addDomain('acme.example'),
    addUser('ann@acme.example'),
    addUser('bob@acme.example'),
    addGroup('all@acme.example', [userDn('ann@acme.example'), userDn('bob@acme.example')]),
  );
  const text = 'Subject: x\r\n\r\nbody\r\n';
  await transfer.accept({ from: 'ann@acme.example', to: ['all@acme.example'], text });
  await transfer.accept({ from: 'ann@acme.example', to: ['ann@acme.example', 'rex@remote.example'], text });
  const { reader, writer } = transfer.directory;
  const accounts = reader.arrays('SELECT id FROM account').map(([id]) => idOf<AccountId>(id));
  await writer.execute(assignQuotaRoot, { accounts, domain: 'acme.example' });
  return transfer;
}

test('a store as it should be has no problems', async (context) => {
  const transfer = await open(context);
  assert.deepEqual(await transfer.problems(), []);
});

const CASES: readonly (readonly [problem: string, statement: string])[] = [
  ['refs differ', 'UPDATE message SET refs = refs + 1 WHERE id = (SELECT min(id) FROM message)'],
  ['refs differ', 'DELETE FROM queue'],
  ['no segment row', 'DELETE FROM segment'],
  ['codec', 'UPDATE message SET codec = 7'],
  ['blob beyond file', 'UPDATE message SET offset = offset + 100000'],
  ['blob beyond file', 'UPDATE message SET offset = 0'],
  ['record header', 'UPDATE message SET offset = offset + 1, length = length - 1'],
  ['record hash', "UPDATE message SET hash = x'00'"],
  ['reference to no message', 'UPDATE mailbox_message SET message = 1'],
  ['size differs', 'UPDATE mailbox_message SET size = size + 1'],
  ['reference to no mailbox', 'UPDATE mailbox_message SET mailbox = 77'],
  ['counters differ', 'UPDATE mailbox SET messages = messages + 1'],
  ['counters differ', 'UPDATE mailbox SET unseen = 0'],
  ['counters differ', 'UPDATE mailbox SET bytes = 1'],
  ['uidnext', 'UPDATE mailbox SET uidnext = 1'],
  ['quota differs', 'UPDATE quota_root SET octets = octets + 1'],
  ['quota differs', 'UPDATE quota_root SET messages = 0'],
  ['no quota counter', 'DELETE FROM quota_root'],
  ['mailbox modseq', 'UPDATE mailbox SET modseq = 0'],
  ['no account', 'DELETE FROM account'],
  ['no INBOX', "UPDATE mailbox SET name = 'Inbox'"],
  ['next mailbox', 'UPDATE account SET next_mailbox = 1'],
  ['counter behind', "UPDATE counter SET value = 0 WHERE name = 'modseq'"],
  ['queue row without message', 'DELETE FROM message'],
  ['state', "UPDATE queue SET state = 'lost'"],
  ['state', "UPDATE queue SET channel = 'pigeon'"],
  ['state', "UPDATE queue SET state = 'failed'"],
  ['lease', "UPDATE queue SET lease = 5, state = 'failed', last_error = 'x'"],
  ['destination', "UPDATE queue SET destination = ''"],
  ['attempts', 'UPDATE queue SET attempts = 3'],
  ['attempts', 'UPDATE queue SET waited = -1'],
  ['address', "UPDATE queue SET recipient = 'rex'"],
  ['address', "UPDATE queue SET sender = 'a b@c'"],
  ['options', "UPDATE queue SET options = '{}'"],
];

for (const [problem, statement] of CASES) {
  test(`it names: ${problem} (${statement})`, async (context) => {
    const transfer = await open(context);
    await transfer.directory.writer.execute(spoil, [statement]);
    const problems = await transfer.problems();
    assert.ok(
      problems.some((found) => found.startsWith(`${problem}: `)),
      problems.join('\n'),
    );
  });
}

test('a mailbox that counts for another domain than its INBOX', async (context) => {
  const transfer = await open(context);
  const { reader, writer } = transfer.directory;
  const owner = idOf<AccountId>(reader.get('SELECT min(id) AS id FROM account')?.['id']);
  await writer.execute(createMailbox, { owner, name: 'Folder' });
  assert.deepEqual(await transfer.problems(), []);
  await writer.execute(spoil, [`UPDATE mailbox SET quota_root = NULL WHERE account = ${owner} AND id = 1`]);
  assert.match((await transfer.problems()).join('\n'), /^quota elsewhere: account \d+ mailbox 2: .*$/);
});

test('a mailbox that is being taken away is no problem', async (context) => {
  const transfer = await open(context);
  await transfer.directory.writer.execute(spoil, [
    'INSERT INTO doomed_mailbox SELECT account, id FROM mailbox WHERE messages = 2',
    'DELETE FROM mailbox WHERE messages = 2',
    "INSERT INTO mailbox SELECT account, 1, 'INBOX', 99, 1, 1, 0, 0, 0, 1, 1, NULL, NULL FROM doomed_mailbox",
    'UPDATE doomed_mailbox SET mailbox = 50',
    'UPDATE mailbox_message SET mailbox = 50 WHERE account = (SELECT account FROM doomed_mailbox)',
  ]);
  assert.deepEqual(await transfer.problems(), []);
});

test('bytes that have changed on disk, a file that is short, a file that is gone', async (context) => {
  const transfer = await open(context);
  const path = join(transfer.segmentsPath, readdirSync(transfer.segmentsPath)[0]!);
  const bytes = readFileSync(path);
  const flipped = Buffer.from(bytes);
  flipped[bytes.length - 3]! ^= 1;
  writeFileSync(path, flipped);
  assert.match((await transfer.problems()).join('\n'), /^record checksum: message \w+: /);
  truncateSync(path, bytes.length - 5);
  assert.match((await transfer.problems()).join('\n'), /^blob beyond file: message \w+: /);
  unlinkSync(path);
  assert.match((await transfer.problems()).join('\n'), /^no segment file: message /);
});
