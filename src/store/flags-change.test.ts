import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { INBOX } from './accounts.ts';
import { ANSWERED, DELETED, FLAGGED, MAILBOX_KEYWORDS_MAX, SEEN } from './flags.ts';
import { ownMailbox } from './mailbox-key.ts';
import { listKeywords } from './mailboxes.ts';
import { openTestBox } from './testing.ts';

async function open(context: TestContext, messages: number) {
  const box = await openTestBox(messages);
  context.after(() => box.close());
  return box;
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
  assert.deepEqual(box.flags(), ['1 5', '2 4', '3 2 Work', '4 2 Work']);
  assert.equal(box.inbox().unseen, 3);
  await box.set([[3, 3]], 'remove', 0, 'WORK');
  await box.set([[4, 4]], 'add', SEEN, 'work', 'Home');
  assert.deepEqual(box.flags().slice(2), ['3 2', '4 3 Work Home']);
  assert.deepEqual(listKeywords(box.reader, ownMailbox(box.account, INBOX)), ['Home', 'Work']);
});

test('what changes nothing says the mailbox’s modseq, and moves nothing', async (context) => {
  const box = await open(context, 2);
  const { modseq } = await box.set([[1, 2]], 'add', SEEN);
  assert.deepEqual(await box.set([[1, 2]], 'add', SEEN), { modseq, changed: 0, modified: [] });
  assert.deepEqual(await box.set([[1, 2]], 'add', 0), { modseq, changed: 0, modified: [] });
  assert.deepEqual(await box.set([[7, 9]], 'replace', DELETED), { modseq, changed: 0, modified: [] });
  assert.equal(box.inbox().modseq, modseq);
});

test('keywords are bounded, a message’s and a mailbox’s, and a refusal undoes all', async (context) => {
  const box = await open(context, 10);
  const words = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => `w${from + i}`);
  await assert.rejects(box.set([[1, 2]], 'add', SEEN, ...words(0, 51)), { kind: 'too-many' });
  await assert.rejects(box.store.append(box.account, 'INBOX', 'x\r\n', { keywords: words(0, 51) }), {
    kind: 'too-many',
  });
  assert.deepEqual(box.inbox().messages, 10);
  assert.deepEqual(box.flags().slice(0, 2), ['1 0', '2 0']);
  for (let i = 0; i < MAILBOX_KEYWORDS_MAX / 50; i++) await box.set([[i + 1, i + 1]], 'add', 0, ...words(i * 50, 50));
  await assert.rejects(box.set([[9, 9]], 'add', 0, 'one-more'), { kind: 'too-many' });
  assert.equal(listKeywords(box.reader, ownMailbox(box.account, INBOX)).length, MAILBOX_KEYWORDS_MAX);
});
