import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { COPY_MESSAGES_MAX, MAILBOX_MESSAGES_MAX } from '../base/limits.ts';
import { operation } from '../database/operation.ts';
import { ANSWERED, DELETED, FLAGGED, type FlagChange, MAILBOX_KEYWORDS_MAX, SEEN } from './flags.ts';
import { createMailbox, findMailbox, listKeywords } from './mailboxes.ts';
import { changesSince, messagesBetween } from './messages.ts';
import { copy, expunge, STATUS_SLICE, storeFlags, type UidRange } from './status.ts';
import { TestStore } from './testing.ts';

/** An account with so many messages in its INBOX, which is mailbox 1, and an empty folder. */
async function open(context: TestContext, messages: number) {
  const store = new TestStore();
  context.after(async () => {
    const problems = await store.problems();
    await store.close();
    assert.deepEqual(problems, []);
  });
  const account = await store.account();
  const { reader, writer } = store.database;
  await writer.execute(createMailbox, { account, name: 'Folder' });
  for (let i = 1; i <= messages; i++) await store.append(account, 'INBOX', `Subject: ${i}\r\n\r\n`);
  return {
    store,
    account,
    reader,
    inbox: () => findMailbox(reader, account, 'INBOX')!,
    status: (mailbox = 1) =>
      messagesBetween(reader, account, mailbox, 1, 1e9, 1e6).map(({ uid, flags, keywords }) =>
        [uid, flags, ...keywords].join(' '),
      ),
    set: (ranges: readonly UidRange[], change: FlagChange, flags: number, ...keywords: string[]) =>
      writer.execute(storeFlags, { account, mailbox: 1, ranges, change, by: { flags, keywords } }),
    expunge: (ranges?: readonly UidRange[], deletedOnly = true) =>
      writer.execute(expunge, { account, mailbox: 1, ranges, deletedOnly }),
    copy: (ranges: readonly UidRange[], target: string) =>
      writer.execute(copy, { account, mailbox: 1, ranges, target }),
  };
}

test('flags are added, removed and replaced; the count of unseen messages follows', async (context) => {
  const box = await open(context, 4);
  await box.set([[1, 3]], 'add', SEEN | FLAGGED);
  assert.equal(box.inbox().unseen, 1);
  await box.set(
    [
      [2, 2],
      [4, 9],
    ],
    'remove',
    SEEN,
  );
  assert.equal(box.inbox().unseen, 2);
  await box.set([[3, 4]], 'replace', ANSWERED, 'Work');
  assert.deepEqual(box.status(), ['1 5', '2 4', '3 2 Work', '4 2 Work']);
  assert.equal(box.inbox().unseen, 3);
  await box.set([[3, 3]], 'remove', 0, 'WORK');
  await box.set([[4, 4]], 'add', SEEN, 'work', 'Home');
  assert.deepEqual(box.status().slice(2), ['3 2', '4 3 Work Home']);
  assert.deepEqual(listKeywords(box.reader, box.account, 1), ['Home', 'Work']);
});

test('what changes nothing says the mailbox’s modseq, and moves nothing', async (context) => {
  const box = await open(context, 2);
  const { modseq } = await box.set([[1, 2]], 'add', SEEN);
  assert.deepEqual(await box.set([[1, 2]], 'add', SEEN), { modseq, changed: 0 });
  assert.deepEqual(await box.set([[1, 2]], 'add', 0), { modseq, changed: 0 });
  assert.deepEqual(await box.set([[7, 9]], 'replace', DELETED), { modseq, changed: 0 });
  assert.equal(box.inbox().modseq, modseq);
});

test('keywords are bounded, a message’s and a mailbox’s, and a refusal undoes all', async (context) => {
  const box = await open(context, 10);
  const words = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => `w${from + i}`);
  await assert.rejects(box.set([[1, 2]], 'add', SEEN, ...words(0, 51)), { kind: 'too-many' });
  assert.deepEqual(box.status().slice(0, 2), ['1 0', '2 0']);
  for (let i = 0; i < MAILBOX_KEYWORDS_MAX / 50; i++) await box.set([[i + 1, i + 1]], 'add', 0, ...words(i * 50, 50));
  await assert.rejects(box.set([[9, 9]], 'add', 0, 'one-more'), { kind: 'too-many' });
  assert.equal(listKeywords(box.reader, box.account, 1).length, MAILBOX_KEYWORDS_MAX);
});

test('expunge takes what is marked, in slices, and tells of it', async (context) => {
  const box = await open(context, 0);
  const { reader } = box.store.database;
  for (let i = 0; i < STATUS_SLICE + 3; i += 200)
    await Promise.all(
      Array.from({ length: Math.min(200, STATUS_SLICE + 3 - i) }, () => box.store.append(box.account, 'INBOX', 'x')),
    );
  const before = box.inbox().modseq;
  await box.set([[2, STATUS_SLICE + 3]], 'add', DELETED);
  assert.deepEqual(await box.expunge(), { expunged: STATUS_SLICE, more: true });
  assert.deepEqual(await box.expunge(), { expunged: 2, more: false });
  assert.deepEqual(await box.expunge(), { expunged: 0, more: false });
  assert.deepEqual(box.status(), ['1 0']);
  assert.equal(box.store.count('message'), 1);
  const changes = changesSince(reader, box.account, 1, before, STATUS_SLICE + 3)!;
  assert.equal(changes.vanished.length, STATUS_SLICE + 2);
  assert.deepEqual(changes.changed, []);
  assert.equal(changes.more, false);
});

test('expunge of certain UIDs leaves the others that are marked; without the mark only where told so', async (context) => {
  const box = await open(context, 5);
  await box.set([[1, 4]], 'add', DELETED);
  await box.expunge([
    [2, 3],
    [5, 5],
  ]);
  assert.deepEqual(box.status(), ['1 8', '4 8', '5 0']);
  await box.expunge([[5, 5]], false);
  assert.deepEqual(box.status(), ['1 8', '4 8']);
});

test('a copy refers to the same bytes, with flags and date of its own from then on', async (context) => {
  const box = await open(context, 3);
  await box.set([[2, 2]], 'add', SEEN, 'Work');
  const copied = await box.copy(
    [
      [2, 3],
      [9, 12],
    ],
    'Folder',
  );
  assert.deepEqual([copied.sources, copied.firstUid], [[2, 3], 1]);
  assert.equal(box.store.count('message'), 3);
  const folder = findMailbox(box.reader, box.account, 'Folder')!;
  assert.deepEqual([folder.messages, folder.unseen, folder.uidNext], [2, 1, 3]);
  assert.deepEqual(box.status(folder.id), ['1 1 Work', '2 0']);
  assert.deepEqual(listKeywords(box.reader, box.account, folder.id), ['Work']);
  await box.set([[2, 2]], 'replace', DELETED);
  await box.expunge();
  assert.deepEqual(box.status(folder.id), ['1 1 Work', '2 0']);
  assert.equal(box.store.count('message'), 3);
  await assert.rejects(box.copy([[1, 1]], 'nowhere'), { kind: 'not-found' });
  assert.deepEqual(await box.copy([[7, 8]], 'Folder'), { ...copied, sources: [], firstUid: 3 });
});

test('one copy for many accounts: the bytes go with the last reference', async (context) => {
  const box = await open(context, 0);
  const others = [await box.store.account(), await box.store.account()];
  await box.store.deliver([box.account, ...others], 'Subject: all\r\n\r\n');
  assert.equal(box.store.count('message'), 1);
  assert.equal(box.store.count('mailbox_message'), 3);
  const { writer } = box.store.database;
  await box.set([[1, 1]], 'add', FLAGGED);
  assert.deepEqual(messagesBetween(box.reader, others[0]!, 1, 1, 9, 9)[0]?.flags, 0);
  for (const [left, account] of [
    [1, box.account],
    [1, others[0]!],
    [0, others[1]!],
  ] as const) {
    await writer.execute(expunge, { account, mailbox: 1, ranges: [[1, 1]], deletedOnly: false });
    assert.equal(box.store.count('message'), left);
  }
});

test('a copy into its own mailbox takes what was there before, once', async (context) => {
  const box = await open(context, 3);
  await box.copy(
    [
      [1, 1],
      [2, 1_000_000],
      [4, 1_000_000],
    ],
    'INBOX',
  );
  assert.deepEqual(box.status(), ['1 0', '2 0', '3 0', '4 0', '5 0', '6 0']);
});

test('a copy of more than the writer may be held up for is refused whole', async (context) => {
  const box = await open(context, 1);
  for (let messages = 1; messages < COPY_MESSAGES_MAX; messages *= 2) await box.copy([[1, messages]], 'INBOX');
  const { messages } = box.inbox();
  await assert.rejects(
    box.copy(
      [
        [1, COPY_MESSAGES_MAX],
        [COPY_MESSAGES_MAX + 1, COPY_MESSAGES_MAX + 1],
      ],
      'Folder',
    ),
    { kind: 'too-many' },
  );
  await box.copy([[1, COPY_MESSAGES_MAX]], 'Folder');
  const spoil = operation('test.spoil', async (tx, messages: number) => {
    await tx.run('UPDATE mailbox SET messages = messages + ? WHERE id = 1', messages);
  });
  const { writer } = box.store.database;
  await writer.execute(spoil, MAILBOX_MESSAGES_MAX - messages - 1);
  await assert.rejects(box.copy([[1, 2]], 'INBOX'), { kind: 'too-many' });
  await box.copy([[1, 1]], 'INBOX');
  await assert.rejects(box.store.append(box.account, 'INBOX', 'x'), { kind: 'too-many' });
  await writer.execute(spoil, messages + 1 - MAILBOX_MESSAGES_MAX);
  assert.equal(findMailbox(box.reader, box.account, 'Folder')?.messages, COPY_MESSAGES_MAX);
  assert.equal(box.inbox().messages, messages + 1);
});
