// Whatever a test breaks in the rows of a store, the repair makes the checker content again, and no message is lost by it.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { type AccountId, idOf } from '../base/ids.ts';
import { operation, type Writer } from '../database/operation.ts';
import { addDomain, addGroup, addUser, userDn } from '../provisioning/testing.ts';
import { readState } from '../routing/generation.ts';
import { entryWithAccount } from '../routing/tables.ts';
import { repairMail } from '../transfer/check.ts';
import { TestTransfer } from '../transfer/testing.ts';
import { checkedChannels } from '../transfer/ways-out.ts';
import { INBOX } from './accounts.ts';
import { copy } from './copy.ts';
import { ownMailbox } from './mailbox-key.ts';
import { createMailbox, findMailbox, subscribe } from './mailboxes.ts';
import { assignQuotaRoot } from './quota.ts';
import { uidRange } from './testing.ts';

const spoil = operation('test.spoil', async (tx, statements: readonly string[]) => {
  for (const statement of statements) await tx.run(statement);
});

const TEXT = 'Subject: x\r\n\r\nbody\r\n';

async function open(context: TestContext) {
  const transfer = await TestTransfer.open();
  context.after(() => transfer.close({ isSpoiled: true }));
  await transfer.directory.apply(
    addDomain('acme.example'),
    addUser('ann@acme.example'),
    addUser('bob@acme.example'),
    addGroup('all@acme.example', [userDn('ann@acme.example'), userDn('bob@acme.example')]),
  );
  for (let i = 0; i < 3; i++) await transfer.accept({ from: 'ann@acme.example', to: ['all@acme.example'], text: TEXT });
  await transfer.accept({ from: 'ann@acme.example', to: ['ann@acme.example', 'rex@remote.example'], text: TEXT });
  const { reader, writer } = transfer.directory;
  const accounts = reader.arrays('SELECT id FROM account ORDER BY id').map(([id]) => idOf<AccountId>(id));
  await writer.execute(assignQuotaRoot, { accounts, domain: 'acme.example' });
  const owner = accounts.at(-1)!;
  await writer.execute(createMailbox, { owner, name: 'Folder' });
  await writer.execute(subscribe, { owner, name: 'Folder' });
  return {
    transfer,
    reader,
    accounts,
    break: (...statements: readonly string[]) => writer.execute(spoil, statements),
    /** `between`: what happens before the first fix is written, after it was counted. */
    async repair(bytes = false, account?: AccountId, between?: () => Promise<unknown>) {
      const found: string[] = [];
      let isFirst = between !== undefined;
      const meanwhile: Writer = {
        async execute(fix, args) {
          if (isFirst) await between!();
          isFirst = false;
          return writer.execute(fix, args);
        },
      };
      const parts = {
        reader,
        writer: meanwhile,
        segments: transfer.segmentsPath,
        channels: checkedChannels,
        bytes,
        account,
      };
      const entryOf = (of: AccountId) => entryWithAccount(reader, readState(reader).generation, of);
      for await (const { result, problem, where } of repairMail({ ...parts, entryOf, keeper: accounts[0] }))
        found.push(`${result} ${problem}: ${where}`);
      return found;
    },
    /** Each message that somebody can read, with how many references. */
    messages: () =>
      reader.arrays(
        `SELECT m.id, m.hash, count(*) FROM message m JOIN mailbox_message r ON r.message = m.id
         JOIN mailbox b ON b.account = r.account AND b.id = r.mailbox GROUP BY m.id`,
      ),
  };
}

/** What the checker names, and what makes it so. */
const BREAKS: readonly (readonly [problem: string, statement: string])[] = [
  ['refs differ', 'UPDATE message SET refs = refs + 1 WHERE id = (SELECT min(id) FROM message)'],
  ['refs differ', 'UPDATE message SET refs = 1'],
  ['refs differ', 'DELETE FROM queue'],
  ['refs differ', 'DELETE FROM mailbox_message WHERE message = (SELECT min(id) FROM message)'],
  ['size differs', 'UPDATE mailbox_message SET size = size + 1'],
  ['reference to no mailbox', 'UPDATE OR IGNORE mailbox_message SET mailbox = 77 WHERE uid > 1'],
  ['no INBOX', "DELETE FROM mailbox WHERE name = 'INBOX'"],
  ['counters differ', 'UPDATE mailbox SET messages = messages + 1'],
  ['counters differ', 'UPDATE mailbox SET unseen = 0'],
  ['counters differ', 'UPDATE mailbox SET bytes = 1'],
  ['uidnext', 'UPDATE mailbox SET uidnext = 1'],
  ['quota differs', 'UPDATE quota_root SET octets = octets + 1'],
  ['quota differs', 'UPDATE quota_root SET messages = 0'],
  ['no quota counter', 'DELETE FROM quota_root'],
  ['quota elsewhere', 'UPDATE mailbox SET quota_root = NULL WHERE id = 1'],
  ['mailbox modseq', 'UPDATE mailbox SET modseq = 0'],
  ['no account', 'DELETE FROM account'],
  ['no INBOX', "UPDATE mailbox SET name = 'Inbox' WHERE name = 'INBOX'"],
  ['no INBOX', "UPDATE mailbox SET selectable = 0 WHERE name = 'INBOX'"],
  ['next mailbox', 'UPDATE account SET next_mailbox = 1'],
  ['counter behind', "UPDATE counter SET value = 0 WHERE name = 'modseq'"],
  ['counter behind', "UPDATE counter SET value = 0 WHERE name = 'uidvalidity'"],
  ['no segment row', 'DELETE FROM segment'],
  ['row of nothing', 'INSERT OR IGNORE INTO reader_mailbox SELECT id, 88, id, 0, 1 FROM account'],
  ['row of nothing', 'INSERT OR IGNORE INTO reader_status SELECT id, 88, id, 1, 1, NULL, 1 FROM account'],
  ['row of nothing', "INSERT OR IGNORE INTO subscription VALUES (99, 'Lost')"],
  ['row of nothing', 'INSERT OR IGNORE INTO quota_warned VALUES (99, 1)'],
  ['row of nothing', "INSERT OR IGNORE INTO keyword SELECT id, 88, '$Lost' FROM account"],
  ['row of nothing', 'INSERT OR IGNORE INTO vanished SELECT id, 88, 1, 1 FROM account'],
];

for (const [problem, statement] of BREAKS)
  test(`it sets right: ${problem} (${statement})`, async (context) => {
    const store = await open(context);
    const before = store.messages();
    await store.break(statement);
    const repaired = await store.repair();
    assert.ok(
      repaired.includes(repaired.find((each) => each.startsWith(`repaired ${problem}: `)) ?? ''),
      `${repaired}`,
    );
    assert.deepEqual(
      repaired.filter((each) => !each.startsWith('repaired ')),
      [],
    );
    assert.deepEqual(await store.transfer.problems(), []);
    const after = new Set(store.messages().map(([id]) => id));
    assert.deepEqual(
      before.filter(([id]) => !after.has(id!)),
      [],
    );
    assert.deepEqual(await store.repair(true), []);
  });

test('several at once, in any order, while mail comes', async (context) => {
  const store = await open(context);
  await fc.assert(
    fc.asyncProperty(
      fc.shuffledSubarray(
        BREAKS.map(([, statement]) => statement),
        { maxLength: 6 },
      ),
      async (statements) => {
        const before = store.messages();
        await store.break(...statements);
        const mail = Array.from({ length: 3 }, () =>
          store.transfer.accept({ from: 'bob@acme.example', to: ['all@acme.example'], text: TEXT }),
        );
        const outcomes = Promise.allSettled(mail);
        await store.repair();
        await outcomes;
        // What mail has met half broken.
        await store.repair();
        assert.deepEqual(await store.transfer.problems(), []);
        const after = new Set(store.messages().map(([id]) => id));
        assert.deepEqual(
          before.filter(([id]) => !after.has(id!)),
          [],
        );
      },
    ),
    { numRuns: 25 },
  );
});

for (const [what, statement] of [
  ['the counters of a mailbox', 'UPDATE mailbox SET messages = messages + 7, unseen = 0 WHERE messages = 4'],
  ['the references of a message', 'UPDATE message SET refs = refs + 1 WHERE id = (SELECT max(id) FROM message)'],
  ['the counter of a domain', 'UPDATE quota_root SET octets = octets + 1'],
] as const)
  test(`what comes between the count and the fix is not lost from ${what}`, async (context) => {
    const store = await open(context);
    await store.break(statement);
    const owner = store.accounts[1]!;
    const { writer } = store.transfer.directory;
    const repaired = await store.repair(false, undefined, async () => {
      await store.transfer.accept({ from: 'bob@acme.example', to: ['ann@acme.example'], text: TEXT });
      const from = ownMailbox(owner, INBOX);
      await writer.execute(copy, { ...from, ranges: [uidRange(1, 9)], target: 'INBOX' });
    });
    // Once, by what was counted anew.
    assert.equal(repaired.length, 1, repaired.join());
    assert.deepEqual(await store.transfer.problems(), []);
  });

test('a message that is gone is named, and its references go with a trace', async (context) => {
  const store = await open(context);
  await store.break('DELETE FROM message WHERE id = (SELECT min(id) FROM message)');
  const vanished = () => store.reader.get('SELECT count(*) AS n FROM vanished')?.['n'];
  assert.deepEqual(await store.repair(), [
    `gone reference to no message: account ${store.accounts[1]} mailbox 1 UID 1`,
    `gone reference to no message: account ${store.accounts[2]} mailbox 1 UID 1`,
  ]);
  assert.equal(vanished(), 2);
  assert.deepEqual(await store.transfer.problems(), []);
});

test('bytes that are wrong are named, and stay as they are', async (context) => {
  const store = await open(context);
  const path = join(store.transfer.segmentsPath, readdirSync(store.transfer.segmentsPath)[0]!);
  const bytes = readFileSync(path);
  bytes[bytes.length - 3]! ^= 1;
  writeFileSync(path, bytes);
  assert.deepEqual(await store.repair(), []);
  const [only, ...others] = await store.repair(true);
  assert.match(only!, /^gone record checksum: message \w+$/);
  assert.deepEqual(others, []);
  assert.deepEqual(readFileSync(path), bytes);
});

test('of one account only what is its own', async (context) => {
  const store = await open(context);
  const [, ann, bob] = store.accounts;
  await store.break('UPDATE mailbox SET unseen = 9', 'UPDATE message SET refs = 9');
  assert.deepEqual(await store.repair(true, ann), [`repaired counters differ: account ${ann} mailbox 1`]);
  assert.equal(findMailbox(store.reader, bob!, 'INBOX')?.unseen, 9);
  assert.equal((await store.repair()).length, 4 + 3);
});
