// What a client of a large mailbox makes the server read: rows are counted as they come from the database.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AccountId, idOf, type MailboxId, type Modseq } from '../../base/ids.ts';
import { IMAP_SORT_MESSAGES_MAX } from '../../base/limits.ts';
import { operation, type Reader } from '../../database/operation.ts';
import { ImapClient } from '../../demo/clients/imap-client.ts';
import { INBOX } from '../../store/accounts.ts';
import { setAcl } from '../../store/acl.ts';
import { expunge } from '../../store/expunge.ts';
import { FLAGGED } from '../../store/flags.ts';
import { storeFlags } from '../../store/flags-change.ts';
import { type MailboxKey, ownMailbox, type UidRange } from '../../store/mailbox-key.ts';
import { uidRange } from '../../store/testing.ts';
import { openTestImap, type TestImap } from './testing.ts';

let rows = 0;

/** Counts what is read. */
function counted(reader: Reader): Reader {
  return {
    get(sql, ...parameters) {
      const row = reader.get(sql, ...parameters);
      if (row !== undefined) rows++;
      return row;
    },
    all(sql, ...parameters) {
      const found = reader.all(sql, ...parameters);
      rows += found.length;
      return found;
    },
    arrays(sql, ...parameters) {
      const found = reader.arrays(sql, ...parameters);
      rows += found.length;
      return found;
    },
    snapshot: (read) => reader.snapshot(read),
    get openSnapshot() {
      return reader.openSnapshot;
    },
    revision: () => reader.revision(),
    routingRevision: () => reader.routingRevision(),
  };
}

/** So many messages in INBOX, which are one copy. */
const fill = operation('test.fill', async (tx, args: { readonly account: AccountId; readonly messages: number }) => {
  const modseq = await tx.get("UPDATE counter SET value = value + 1 WHERE name = 'modseq' RETURNING value");
  await tx.run(
    `INSERT INTO message (id, segment, offset, length, hash, codec, received, trace_bytes, header, structure, parser, refs)
     VALUES (?, 1, 0, 1, x'00', 0, 1, 0, '[]', '[]', 1, ?)`,
    args.account,
    args.messages,
  );
  await tx.run(
    `INSERT INTO mailbox_message (account, mailbox, uid, message, flags, keywords, modseq, touched, internal_date, saved, size)
     WITH RECURSIVE n(uid) AS (SELECT 1 UNION ALL SELECT uid + 1 FROM n WHERE uid < ?)
     SELECT ?, 1, uid, ?, uid < ?, NULL, ?, 0, 1, 1, 1 FROM n`,
    args.messages,
    args.account,
    args.account,
    args.messages - 3,
    modseq!['value']!,
  );
  await tx.run(
    `UPDATE mailbox SET uidnext = ?, messages = ?, unseen = 4, bytes = ?, recent_from = ?, modseq = ?
     WHERE account = ? AND id = 1`,
    args.messages + 1,
    args.messages,
    args.messages,
    args.messages + 1,
    modseq!['value']!,
    args.account,
  );
});

let imap: TestImap;
before(async () => {
  imap = await openTestImap({ reading: counted });
});
after(() => imap?.close());

async function open(messages: number): Promise<{ account: AccountId; client: ImapClient }> {
  const login = `user${messages}`;
  const account = await imap.addAccount(login, 'secret');
  await imap.database.writer.execute(fill, { account, messages });
  return { account, client: await ImapClient.login(imap, login, 'secret') };
}

/** The untagged responses to a command. */
async function tell(client: ImapClient, command: string): Promise<string[]> {
  return (await client.command(command)).untagged.map(({ text }) => text);
}

async function countOf(what: () => Promise<unknown>): Promise<number> {
  const beforeIt = rows;
  await what();
  return rows - beforeIt;
}

test('SELECT and UID FETCH of the last 50 read as few rows of 50,000 messages as of 1000', async () => {
  const counts: number[] = [];
  for (const messages of [1000, 50_000]) {
    const { client } = await open(messages);
    const count = await countOf(async () => {
      const selected = await tell(client, 'SELECT INBOX');
      assert.ok(selected.includes(`${messages} EXISTS`));
      assert.ok(selected.some((line) => line.startsWith(`OK [UNSEEN ${messages - 3}]`)));
      const fetched = await tell(client, `UID FETCH ${messages - 49}:* (FLAGS)`);
      assert.equal(fetched.length, 50);
      assert.equal(fetched[0], `${messages - 49} FETCH (UID ${messages - 49} FLAGS (\\Seen))`);
    });
    counts.push(count);
    client.connection.destroy();
  }
  assert.equal(counts[0], counts[1]);
  assert.ok(counts[0]! <= 200, `${counts[0]} rows`);
});

test('a view is read once for all sessions, and again when all have rested; what went meanwhile keeps its number until it is told', async () => {
  const { account, client } = await open(20_000);
  const other = await ImapClient.login(imap, 'user20000', 'secret');
  await tell(client, 'SELECT INBOX');
  await tell(other, 'SELECT INBOX');
  assert.ok((await countOf(() => tell(client, 'FETCH 1 (UID)'))) > 19_000);
  assert.ok((await countOf(() => tell(other, 'FETCH 1:2 (UID)'))) < 20);
  imap.door.views.sweep(Number.POSITIVE_INFINITY);
  const at = ownMailbox(account, INBOX);
  await imap.database.writer.execute(expunge, { ...at, ranges: [uidRange(5, 6)], deletedOnly: false });
  assert.deepEqual(await tell(client, 'FETCH 7 (UID)'), ['7 FETCH (UID 7)']);
  assert.deepEqual(await tell(client, 'NOOP'), ['6 EXPUNGE', '5 EXPUNGE']);
  assert.deepEqual(await tell(client, 'FETCH 7 (UID)'), ['7 FETCH (UID 9)']);
  const flagged = { ...at, ranges: [uidRange(19_999)], change: 'add' as const };
  await imap.database.writer.execute(storeFlags, { ...flagged, by: { flags: FLAGGED, keywords: [] } });
  imap.door.views.sweep(Number.POSITIVE_INFINITY);
  // A number near to the end is counted from there.
  assert.ok((await countOf(() => tell(client, 'NOOP'))) < 300);
  client.connection.destroy();
  other.connection.destroy();
});

test('QRESYNC reads at most three rows a change and twenty, whatever the size and wherever the changes are', async () => {
  const { account, client } = await open(30_000);
  const at = ownMailbox(account, INBOX);
  const { writer } = imap.database;
  const flag = (...ranges: readonly UidRange[]) =>
    writer.execute(storeFlags, { ...at, ranges, change: 'add', by: { flags: FLAGGED, keywords: [] } });
  await client.command('ENABLE QRESYNC');
  const known = async () => {
    const text = (await tell(client, 'SELECT INBOX')).join('\n');
    return [/UIDVALIDITY (\d+)/.exec(text)![1], /HIGHESTMODSEQ (\d+)/.exec(text)![1]].join(' ');
  };
  const changes: readonly { readonly count: number; readonly make: () => Promise<unknown> }[] = [
    { count: 0, make: async () => {} },
    { count: 1, make: () => flag(uidRange(3)) },
    { count: 1, make: () => client.append('INBOX', Buffer.from('x')) },
    { count: 40, make: () => flag(...Array.from({ length: 40 }, (_, i) => uidRange(10 + 700 * i))) },
    { count: 300, make: () => writer.execute(expunge, { ...at, ranges: [uidRange(5000, 5299)], deletedOnly: false }) },
    {
      count: 60,
      make: async () => {
        for (let i = 0; i < 30; i++) await client.append('INBOX', Buffer.from('x'));
        await flag(uidRange(100, 109));
        await writer.execute(expunge, { ...at, ranges: [uidRange(20_000, 20_019)], deletedOnly: false });
      },
    },
  ];
  for (const { count, make } of changes) {
    const state = await known();
    await client.command('UNSELECT');
    await make();
    imap.door.views.sweep(Number.POSITIVE_INFINITY);
    let told: string[] = [];
    const read = await countOf(async () => {
      told = await tell(client, `SELECT INBOX (QRESYNC (${state}))`);
    });
    const fetched = told.filter((text) => text.includes(' FETCH '));
    const vanished = told.find((text) => text.startsWith('VANISHED (EARLIER) '))?.slice(19) ?? '';
    const gone = vanished.split(',').reduce((sum, range) => {
      const [first, last = first] = range.split(':').map(Number);
      return range === '' ? sum : sum + last! - first! + 1;
    }, 0);
    assert.equal(fetched.length + gone, count);
    const numbers = fetched.map((text) => /^\d+/.exec(text)![0]);
    const asked = numbers.length === 0 ? [] : await tell(client, `FETCH ${numbers.join(',')} (UID)`);
    const uidsOf = (texts: readonly string[]) => texts.map((text) => /^\d+ FETCH \(UID \d+/.exec(text)![0]).sort();
    assert.deepEqual(uidsOf(fetched), uidsOf(asked));
    assert.ok(read <= 3 * count + 20, `${read} rows for ${count}`);
  }
  client.connection.destroy();
});

test('UIDBATCHES reads as many rows as its batches have messages, and parts a mailbox with gaps', async () => {
  const { account, client } = await open(15_000);
  await client.command('SELECT INBOX');
  const { writer } = imap.database;
  await writer.execute(expunge, {
    ...ownMailbox(account, INBOX),
    ranges: [uidRange(14_200, 14_299)],
    deletedOnly: false,
  });
  await client.command('NOOP');
  const read = await countOf(async () => {
    const [text] = await tell(client, 'UIDBATCHES 500 1:2');
    assert.match(text!, /^UIDBATCHES \(TAG "\w+"\) 15000:14501,14500:13901$/);
  });
  assert.ok(read < 2500, `${read} rows`);
  const [text] = await tell(client, 'UIDBATCHES 6000');
  assert.match(text!, /^UIDBATCHES \(TAG "\w+"\) 15000:8901,8900:2901,2900:1$/);
  client.connection.destroy();
});

test('more messages than may be put into an order are refused; a search of fewer of them is not', async () => {
  const { client } = await open(IMAP_SORT_MESSAGES_MAX + 1);
  await client.command('SELECT INBOX');
  for (const command of ['SORT (ARRIVAL) UTF-8 ALL', 'THREAD REFS UTF-8 ALL'])
    await assert.rejects(client.command(command), /NO \[LIMIT\]/);
  const [found] = await tell(client, 'SORT RETURN (COUNT) (ARRIVAL) UTF-8 UNSEEN');
  assert.match(found!, /COUNT 4$/);
  await client.logout();
});

/** So many mailboxes beside INBOX, without a message. */
const addMailboxes = operation(
  'test.addMailboxes',
  (tx, { account, count }: { readonly account: AccountId; readonly count: number }) =>
    tx.run(
      `INSERT INTO mailbox (account, id, name, uidvalidity, uidnext, modseq, messages, unseen, bytes, recent_from, selectable)
       WITH RECURSIVE n(id) AS (SELECT 2 UNION ALL SELECT id + 1 FROM n WHERE id <= ?)
       SELECT ?, id, 'm' || id, id, 1, 1, 0, 0, 0, 1, 1 FROM n`,
      count,
      account,
    ),
);

/** A message comes into a mailbox, as far as its row tells. */
const deliverTo = operation('test.deliverTo', async (tx, at: MailboxKey) => {
  const row = await tx.get("UPDATE counter SET value = value + 1 WHERE name = 'modseq' RETURNING value");
  const modseq = idOf<Modseq>(row!['value']!);
  await tx.run(
    'UPDATE mailbox SET messages = messages + 1, uidnext = uidnext + 1, modseq = ? WHERE account = ? AND id = ?',
    modseq,
    at.owner,
    at.mailbox,
  );
  tx.afterCommit({ kind: 'mailbox', account: at.owner, mailbox: at.mailbox, modseq });
});

test('a commit in one of 10,000 mailboxes makes a session with NOTIFY read at most 4 rows', async () => {
  const account = await imap.addAccount('many', 'secret');
  await imap.database.writer.execute(addMailboxes, { account, count: 9999 });
  const message = '(MessageNew MessageExpunge FlagChange';
  const sessions: ImapClient[] = [];
  for (const filter of ['personal', 'subtree m77', 'subscribed']) {
    const client = await ImapClient.login(imap, 'many', 'secret');
    await client.command('SUBSCRIBE m77');
    await client.command('SELECT INBOX');
    await client.command(`NOTIFY SET (selected ${message})) (${filter} ${message} MailboxName))`);
    sessions.push(client);
  }
  for (const [id, messages] of [
    [77, 1],
    [77, 2],
    [1, 0],
    [78, 0],
  ] as const) {
    const read = await countOf(async () => {
      await imap.database.writer.execute(deliverTo, { owner: account, mailbox: idOf<MailboxId>(id) });
      if (messages > 0)
        for (const client of sessions)
          assert.match(await client.connection.line(), new RegExp(`^\\* STATUS m77 \\(MESSAGES ${messages} UIDNEXT`));
      else await sessions[0]!.command('NOOP');
    });
    assert.ok(read <= 4 * sessions.length, `${read} rows`);
  }
  for (const client of sessions) client.destroy();
});

/** The first 1000 mailboxes of an owner may be read by somebody else. */
const showThousand = operation(
  'test.showThousand',
  (tx, { owner, identity }: { readonly owner: AccountId; readonly identity: string }) =>
    tx.run(
      "INSERT INTO acl (owner, mailbox, identity, negative, rights) SELECT account, id, ?, 0, 'lr' FROM mailbox WHERE account = ? AND id <= 1000",
      identity,
      owner,
    ),
);

test('over 1000 mailboxes of others are more than NOTIFY tells of', async () => {
  const { writer } = imap.database;
  const [owner, reader] = [await imap.addAccount('crowd', 'secret'), await imap.addAccount('onlooker', 'secret')];
  const identity = imap.door.rights.parties.byAccount(reader)!.uuid;
  await writer.execute(addMailboxes, { account: owner, count: 1000 });
  await writer.execute(showThousand, { owner, identity });
  const client = await ImapClient.login(imap, 'onlooker', 'secret');
  const command = 'NOTIFY SET (subtree "Other Users" (MessageNew MessageExpunge))';
  assert.deepEqual(await tell(client, command), []);
  await writer.execute(deliverTo, { owner, mailbox: idOf<MailboxId>(1000) });
  assert.match(await client.connection.line(), /^\* STATUS "?Other Users\/crowd\/m1000"? \(MESSAGES 1 /);
  const given = { identity, negative: false, change: 'replace', rights: 'lr', before: '' } as const;
  await writer.execute(setAcl, { owner, mailbox: idOf<MailboxId>(1001), ...given });
  assert.match(await client.connection.line(), /^\* OK \[NOTIFICATIONOVERFLOW\] /);
  await writer.execute(deliverTo, { owner, mailbox: idOf<MailboxId>(1000) });
  assert.deepEqual(await tell(client, 'NOOP'), []);
  assert.match((await tell(client, command)).join(), /^OK \[NOTIFICATIONOVERFLOW\] [^,]+$/);
  client.destroy();
});
