import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { INBOX } from './accounts.ts';
import { SEEN } from './flags.ts';
import { ownMailbox } from './mailbox-key.ts';
import {
  canonicalMailboxName,
  claimRecent,
  createMailbox,
  deleteMailbox,
  findMailbox,
  listMailboxes,
  listSubscriptions,
  MAILBOXES_MAX,
  renameMailbox,
  subscribe,
  unsubscribe,
} from './mailboxes.ts';
import { messagesBetween } from './messages.ts';
import { TestStore, uidRange } from './testing.ts';
import { makeUrlKeys, readUrlKey, resetUrlKeys } from './url-keys.ts';

async function open(context: TestContext) {
  const store = new TestStore();
  context.after(() => store.close());
  const account = await store.account();
  const { reader, writer } = store.database;
  return {
    store,
    account,
    reader,
    names: () => listMailboxes(reader, account).map(({ name, selectable }) => (selectable ? name : `(${name})`)),
    find: (name: string) => findMailbox(reader, account, name),
    create: (name: string) => writer.execute(createMailbox, { owner: account, name }),
    remove: (name: string) => writer.execute(deleteMailbox, { owner: account, name }),
    rename: (from: string, to: string) => writer.execute(renameMailbox, { owner: account, from, to }),
    subscribe: (name: string) => writer.execute(subscribe, { owner: account, name }),
    unsubscribe: (name: string) => writer.execute(unsubscribe, { owner: account, name }),
  };
}

test('names: INBOX in any case is one, levels and characters are checked', () => {
  assert.equal(canonicalMailboxName('inBOX/Sub'), 'INBOX/Sub');
  assert.equal(canonicalMailboxName('Übung/__proto__/..'), 'Übung/__proto__/..');
  for (const name of [
    '',
    '/',
    'a/',
    '/a',
    'a//b',
    'a\0',
    'a\n',
    'a\x7f',
    'a*',
    '%',
    'x'.repeat(501),
    `${'a/'.repeat(30)}a`,
  ])
    assert.throws(() => canonicalMailboxName(name), { kind: 'invalid' }, name);
});

test('create makes the levels above, and gives each mailbox numbers of its own', async (context) => {
  const box = await open(context);
  await box.create('a/b/c');
  assert.deepEqual(box.names(), ['INBOX', 'a', 'a/b', 'a/b/c']);
  await assert.rejects(box.create('a/b'), { kind: 'exists' });
  const before = box.find('a/b/c')!;
  await box.remove('a/b/c');
  await box.create('a/b/c');
  const again = box.find('a/b/c')!;
  assert.ok(again.uidValidity > before.uidValidity);
  assert.notEqual(again.id, before.id);
  await box.create('Sent Items');
  assert.equal(box.find('Sent Items')?.specialUse, '\\Sent');
});

test('delete: a mailbox with others below stays as a name; INBOX and such a name cannot go', async (context) => {
  const box = await open(context);
  await box.create('a/b');
  const uid = await box.store.append(box.account, 'a', 'x');
  assert.equal(uid, 1);
  await box.remove('a');
  assert.deepEqual(box.names(), ['INBOX', '(a)', 'a/b']);
  await assert.rejects(box.remove('a'), { kind: 'not-empty' });
  await assert.rejects(box.remove('INBOX'), { kind: 'denied' });
  await assert.rejects(box.remove('nowhere'), { kind: 'not-found' });
  await box.remove('a/b');
  await box.remove('a');
  assert.deepEqual(box.names(), ['INBOX']);
  await box.create('a');
  assert.equal(box.find('a')?.messages, 0);
  assert.deepEqual(await box.store.problems(), []);
});

test('rename takes all below along, and nothing that only begins alike', async (context) => {
  const box = await open(context);
  for (const name of ['a/b/c', 'a.b', 'ab', 'a0']) await box.create(name);
  await box.store.append(box.account, 'a/b', 'text');
  await box.rename('a', 'x/y');
  assert.deepEqual(box.names(), ['INBOX', 'a.b', 'a0', 'ab', 'x', 'x/y', 'x/y/b', 'x/y/b/c']);
  assert.equal(box.find('x/y/b')?.messages, 1);
  await assert.rejects(box.rename('x/y', 'x/y/z'), { kind: 'invalid' });
  await assert.rejects(box.rename('x/y', 'ab'), { kind: 'exists' });
  await assert.rejects(box.rename('none', 'other'), { kind: 'not-found' });
});

test('rename never makes a name below that no command could say', async (context) => {
  const box = await open(context);
  const long = 'n'.repeat(450);
  await box.create(`a/${long}`);
  await assert.rejects(box.rename('a', 'b'.repeat(100)), { kind: 'invalid' });
  await assert.rejects(box.rename('a', `${Array(29).fill('b').join('/')}/c`), { kind: 'invalid' });
  assert.deepEqual(box.names(), ['INBOX', 'a', `a/${long}`]);
});

test('an account has only so many mailboxes, however they are made', async (context) => {
  const box = await open(context);
  const { writer } = box.store.database;
  await Promise.all(
    Array.from({ length: 399 }, (_, i) =>
      writer.execute(createMailbox, { owner: box.account, name: [i, ...Array(24).fill('x')].join('/') }),
    ),
  );
  await box.create(Array(24).fill('last').join('/'));
  assert.equal(box.names().length, MAILBOXES_MAX);
  await box.remove('0/x/x');
  await assert.rejects(box.create('one'), { kind: 'too-many' });
  await assert.rejects(box.rename('1', 'new/level'), { kind: 'too-many' });
  await box.rename('1', 'one');
  assert.equal(box.names().length, MAILBOXES_MAX);
});

test('renaming INBOX moves its messages to new place with their UIDs; INBOX goes on counting', async (context) => {
  const box = await open(context);
  await box.store.deliver([box.account], 'Subject: 1\r\n\r\n');
  await box.store.append(box.account, 'INBOX', 'Subject: 2\r\n\r\n', { flags: SEEN, keywords: ['Work'] });
  await box.rename('INBOX', 'Old/2026');
  const inbox = box.find('INBOX')!;
  const old = box.find('Old/2026')!;
  assert.deepEqual([inbox.messages, inbox.unseen, inbox.bytes, inbox.uidNext], [0, 0, 0, 3]);
  assert.deepEqual([old.messages, old.unseen, old.uidNext], [2, 1, 3]);
  const moved = messagesBetween(box.reader, ownMailbox(box.account, old.id), uidRange(1, 9), 9);
  assert.deepEqual(
    moved.map(({ uid, flags, keywords }) => [uid, flags, keywords]),
    [
      [1, 0, []],
      [2, SEEN, ['Work']],
    ],
  );
  assert.equal(await box.store.append(box.account, 'INBOX', 'x'), 3);
  assert.deepEqual(await box.store.problems(), []);
});

test('a new message is recent to one claimant only', async (context) => {
  const box = await open(context);
  const { writer } = box.store.database;
  const claim = () => writer.execute(claimRecent, { owner: box.account, mailbox: INBOX });
  await box.store.append(box.account, 'INBOX', 'x');
  assert.deepEqual(await Promise.all([claim(), claim()]), [
    { from: 1, to: 2 },
    { from: 2, to: 2 },
  ]);
});

test('subscriptions are names, whether a mailbox is there or not', async (context) => {
  const box = await open(context);
  await box.subscribe('later');
  await box.subscribe('later');
  assert.deepEqual(listSubscriptions(box.reader, box.account), ['later']);
  await box.unsubscribe('later');
  await assert.rejects(box.unsubscribe('later'), { kind: 'not-found' });
});

test('a mailbox that goes takes along all keys for URLs of its messages, an account keeps those for others', async (context) => {
  const box = await open(context);
  await box.create('a');
  const { writer } = box.store.database;
  const [owner, mailbox] = [box.account, box.find('a')!.id];
  const other = await box.store.account();
  const places = [
    { account: owner, owner, mailbox },
    { account: owner, owner, mailbox: INBOX },
    { account: other, owner, mailbox },
  ];
  const keys = () => places.map((place) => readUrlKey(box.reader, place));
  await writer.execute(makeUrlKeys, places);
  const made = keys();
  assert.deepEqual(
    made.map((key) => key?.length),
    [32, 32, 32],
  );
  assert.notDeepEqual(made[0], made[1]);
  await writer.execute(makeUrlKeys, places);
  assert.deepEqual(keys(), made);
  await writer.execute(resetUrlKeys, { account: other, place: { owner, mailbox: INBOX } });
  assert.deepEqual(keys(), made);
  await box.remove('a');
  assert.deepEqual(keys(), [undefined, made[1], undefined]);
  await assert.rejects(writer.execute(makeUrlKeys, places), { kind: 'not-found' });
  assert.deepEqual(keys(), [undefined, made[1], undefined]);
  await writer.execute(resetUrlKeys, { account: owner });
  assert.deepEqual(keys(), [undefined, undefined, undefined]);
});
