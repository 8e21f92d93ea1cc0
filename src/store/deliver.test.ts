import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { type AccountId, idOf } from '../base/ids.ts';
import { operation } from '../database/operation.ts';
import { INBOX } from './accounts.ts';
import { addReferences, deliverToMailboxes, dropReferences } from './deliver.ts';
import { expunge } from './expunge.ts';
import { DELETED, FLAGGED, SEEN } from './flags.ts';
import { storeFlags } from './flags-change.ts';
import { ownMailbox } from './mailbox-key.ts';
import { createMailbox, findMailbox } from './mailboxes.ts';
import { messagesBetween } from './messages.ts';
import { TestStore, uidRange } from './testing.ts';

const TEXT = 'Subject: all\r\n\r\nhello\r\n';
const STORED = `Return-Path: <x@x.example>\r\n${TEXT}`;

const add = operation('test.add', (tx, args: { readonly message: number; readonly count: number }) =>
  addReferences(tx, idOf(args.message), args.count),
);
const drop = operation('test.drop', (tx, args: { readonly message: number; readonly count: number }) =>
  dropReferences(tx, idOf(args.message), args.count),
);

async function open(context: TestContext, count: number) {
  const store = new TestStore();
  context.after(() => store.close());
  const accounts: AccountId[] = [];
  for (let i = 0; i < count; i++) accounts.push(await store.account());
  const { reader, writer } = store.database;
  return {
    store,
    accounts,
    writer,
    in: (account: AccountId) => messagesBetween(reader, ownMailbox(account, INBOX), [idOf(1), idOf(1)], 1)[0],
    inbox: (account: AccountId) => findMailbox(reader, account, 'INBOX')!,
    refs: () => reader.all('SELECT refs FROM message').map((row) => Number(row['refs'])),
  };
}

test('one copy for twenty accounts, each with flags and counters of its own', async (context) => {
  const { store, accounts, writer, ...box } = await open(context, 20);
  const changed: number[] = [];
  store.database.onNotification((note) => {
    if (note.kind === 'mailbox') changed.push(note.account);
  });
  await store.deliver(accounts, TEXT);
  assert.deepEqual(box.refs(), [20]);
  assert.equal(store.count('mailbox_message'), 20);
  assert.deepEqual(
    changed.sort((a, b) => a - b),
    accounts,
  );
  const [first, ...others] = accounts as [AccountId, ...AccountId[]];
  await writer.execute(storeFlags, {
    ...ownMailbox(first, INBOX),
    ranges: [uidRange(1)],
    change: 'add',
    by: { flags: SEEN | FLAGGED, keywords: ['Mine'] },
  });
  assert.equal(box.in(first)?.flags, SEEN | FLAGGED);
  assert.equal(box.inbox(first).unseen, 0);
  for (const account of others) {
    const message = box.in(account);
    assert.deepEqual([message?.flags, message?.keywords, message?.size], [0, [], STORED.length]);
    const { messages, unseen, uidNext } = box.inbox(account);
    assert.deepEqual([messages, unseen, uidNext], [1, 1, 2]);
  }
  assert.equal((await store.blobs.read(box.in(others[18]!)!.blob)).toString('latin1'), STORED);
  assert.deepEqual(await store.problems(), []);
});

test('each expunge takes one reference; the last takes the row', async (context) => {
  const { store, accounts, writer, ...box } = await open(context, 20);
  await store.deliver(accounts, TEXT);
  for (const [index, account] of accounts.entries()) {
    await writer.execute(storeFlags, {
      ...ownMailbox(account, INBOX),
      ranges: [uidRange(1)],
      change: 'add',
      by: { flags: DELETED, keywords: [] },
    });
    await writer.execute(expunge, { owner: account, mailbox: INBOX, ranges: undefined, deletedOnly: true });
    assert.deepEqual(box.refs(), index === 19 ? [] : [19 - index]);
  }
  assert.deepEqual(await store.problems(), []);
});

test('references that are no mailbox’s hold the row as well', async (context) => {
  const { store, accounts, writer, ...box } = await open(context, 1);
  await store.deliver(accounts, TEXT);
  const account = accounts[0]!;
  const message = box.in(account)!.id;
  await writer.execute(add, { message, count: 3 });
  await writer.execute(expunge, {
    owner: account,
    mailbox: INBOX,
    ranges: [uidRange(1)],
    deletedOnly: false,
  });
  assert.deepEqual(box.refs(), [3]);
  await writer.execute(drop, { message, count: 2 });
  assert.deepEqual(box.refs(), [1]);
  await writer.execute(drop, { message, count: 1 });
  assert.deepEqual(box.refs(), []);
});

test('accounts that are gone have nothing, the others have their message', async (context) => {
  const { store, accounts, writer, ...box } = await open(context, 2);
  await store.deliver(accounts, TEXT);
  const { id, received, size } = box.in(accounts[0]!)!;
  const again = operation('test.again', async (tx, to: readonly AccountId[]) => {
    await addReferences(tx, id, 2);
    return deliverToMailboxes(
      tx,
      { id, received, size },
      to.map((owner) => ({ owner })),
    );
  });
  assert.deepEqual(
    await writer.execute(again, [accounts[0]!, idOf<AccountId>(998), accounts[1]!, idOf<AccountId>(999)]),
    [true, false, true, false],
  );
  for (const account of accounts) assert.equal(box.inbox(account).messages, 2);
  assert.deepEqual(await store.problems(), []);
});

test('a copy goes into the mailbox that is named, with the flags that are given', async (context) => {
  const { store, accounts, writer } = await open(context, 1);
  const [owner] = accounts as [AccountId];
  await store.deliver(accounts, TEXT);
  const { reader } = store.database;
  const { id, received, size } = messagesBetween(reader, ownMailbox(owner, INBOX), [idOf(1), idOf(1)], 1)[0]!;
  await writer.execute(createMailbox, { owner, name: 'Filed' });
  const filed = findMailbox(reader, owner, 'Filed')!;
  const file = operation('test.file', async (tx, _args: object) => {
    await addReferences(tx, id, 1);
    return deliverToMailboxes(tx, { id, received, size }, [{ owner, mailbox: filed.id, flags: SEEN }]);
  });
  assert.deepEqual(await writer.execute(file, {}), [true]);
  assert.equal(messagesBetween(reader, ownMailbox(owner, filed.id), [idOf(1), idOf(1)], 1)[0]?.flags, SEEN);
  assert.equal(findMailbox(reader, owner, 'Filed')?.unseen, 0);
  assert.deepEqual(await store.problems(), []);
});

const spoilKeys = operation('test.spoilKeys', async (tx, args: { readonly hash: Uint8Array }) => {
  await tx.run('UPDATE appended SET hash = ?', args.hash.subarray(0, 8));
});

test('what is appended twice, by whom ever, is one copy until nobody has it; what begins with the same hash is not', async (context) => {
  const { store, accounts, writer, ...box } = await open(context, 2);
  const [ann, bob] = accounts as [AccountId, AccountId];
  const { reader } = store.database;
  const deadOf = (): number => Number(reader.get('SELECT sum(dead) AS n FROM segment')?.['n']);
  await store.append(ann, 'INBOX', TEXT);
  await store.append(bob, 'INBOX', TEXT, { flags: FLAGGED });
  assert.deepEqual(box.refs(), [2]);
  assert.equal(deadOf(), 32 + TEXT.length);
  assert.deepEqual([box.in(ann)?.flags, box.in(bob)?.flags, box.in(bob)?.size], [0, FLAGGED, TEXT.length]);
  assert.equal((await store.blobs.read(box.in(bob)!.blob)).toString('latin1'), TEXT);

  // A key that another message has too.
  const other = 'Subject: another\r\n\r\n';
  await writer.execute(spoilKeys, { hash: hash('sha256', other, 'buffer') });
  await store.append(ann, 'INBOX', other);
  assert.deepEqual(box.refs(), [2, 1]);

  const all = { mailbox: INBOX, ranges: undefined, deletedOnly: false };
  for (const owner of accounts) await writer.execute(expunge, { owner, ...all });
  assert.equal(store.count('message'), 0);
  await store.append(ann, 'INBOX', other);
  assert.deepEqual(box.refs(), [1]);
  // A delivered message is none that a client has brought.
  await store.deliver([bob], other);
  await store.append(bob, 'INBOX', `Return-Path: <x@x.example>\r\n${other}`);
  assert.deepEqual(box.refs(), [1, 1, 1]);
  assert.deepEqual(await store.problems(), []);
});
