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
