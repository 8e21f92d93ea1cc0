import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { COPY_MESSAGES_MAX, MAILBOX_MESSAGES_MAX } from '../base/limits.ts';
import { operation } from '../database/operation.ts';
import { DELETED, SEEN } from './flags.ts';
import { ownMailbox } from './mailbox-key.ts';
import { listKeywords } from './mailboxes.ts';
import { openTestBox } from './testing.ts';

async function open(context: TestContext, messages: number) {
  const box = await openTestBox(messages);
  context.after(() => box.close());
  return box;
}

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
  const folder = box.folder();
  assert.deepEqual([folder.messages, folder.unseen, folder.uidNext], [2, 1, 3]);
  assert.deepEqual(box.flags(folder.id), ['1 1 Work', '2 0']);
  assert.deepEqual(listKeywords(box.reader, ownMailbox(box.account, folder.id)), ['Work']);
  await box.set([[2, 2]], 'replace', DELETED);
  await box.expunge();
  assert.deepEqual(box.flags(folder.id), ['1 1 Work', '2 0']);
  assert.equal(box.store.count('message'), 3);
  await assert.rejects(box.copy([[1, 1]], 'nowhere'), { kind: 'not-found' });
  assert.deepEqual(await box.copy([[7, 8]], 'Folder'), { ...copied, sources: [], firstUid: 3 });
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
  assert.deepEqual(box.flags(), ['1 0', '2 0', '3 0', '4 0', '5 0', '6 0']);
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
  assert.equal(box.folder().messages, COPY_MESSAGES_MAX);
  assert.equal(box.inbox().messages, messages + 1);
});

test('what moves keeps flags and date, and leaves a trace where it was', async (context) => {
  const box = await open(context, 4);
  await box.set([[2, 2]], 'add', SEEN, 'Work');
  const moved = await box.move(
    [
      [2, 3],
      [9, 12],
    ],
    'Folder',
  );
  assert.deepEqual([moved.sources, moved.firstUid], [[2, 3], 1]);
  const [inbox, folder] = [box.inbox(), box.folder()];
  assert.deepEqual([inbox.messages, inbox.unseen, folder.messages, folder.unseen], [2, 2, 2, 1]);
  assert.deepEqual(
    [box.flags(), box.flags(folder.id)],
    [
      ['1 0', '4 0'],
      ['1 1 Work', '2 0'],
    ],
  );
  assert.equal(inbox.modseq, folder.modseq);
  const vanished = box.reader.arrays('SELECT mailbox, modseq, uid FROM vanished ORDER BY uid');
  assert.deepEqual(vanished, [
    [1, inbox.modseq, 2],
    [1, inbox.modseq, 3],
  ]);
  assert.equal(box.store.count('message'), 4);
  assert.deepEqual((await box.move([[2, 3]], 'Folder')).sources, []);
  await assert.rejects(box.move([[1, 1]], 'nowhere'), { kind: 'not-found' });
});

test('what moves into its own mailbox is there once, with a new UID', async (context) => {
  const box = await open(context, 3);
  await box.set([[1, 1]], 'add', SEEN);
  const moved = await box.move(
    [
      [1, 2],
      [4, 1_000_000],
    ],
    'INBOX',
  );
  assert.deepEqual([moved.sources, moved.firstUid], [[1, 2], 4]);
  assert.deepEqual(box.flags(), ['3 0', '4 1', '5 0']);
  assert.deepEqual([box.inbox().messages, box.inbox().unseen, box.inbox().uidNext], [3, 2, 6]);
});
