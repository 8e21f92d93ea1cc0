import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { idOf } from '../base/ids.ts';
import { STORE_SLICE_MESSAGES } from '../base/limits.ts';
import { INBOX } from './accounts.ts';
import { changesSince } from './changes.ts';
import { expunge } from './expunge.ts';
import { DELETED, FLAGGED } from './flags.ts';
import { ownMailbox } from './mailbox-key.ts';
import { flagsBetween } from './messages.ts';
import { openTestBox, uidRange } from './testing.ts';

async function open(context: TestContext, messages: number) {
  const box = await openTestBox(messages);
  context.after(() => box.close());
  return box;
}

test('expunge takes what is marked, in slices, and reports it', async (context) => {
  const box = await open(context, 0);
  const { reader } = box.store.database;
  for (let i = 0; i < STORE_SLICE_MESSAGES + 3; i += 200)
    await Promise.all(
      Array.from({ length: Math.min(200, STORE_SLICE_MESSAGES + 3 - i) }, () =>
        box.store.append(box.account, 'INBOX', 'x'),
      ),
    );
  const before = box.inbox().modseq;
  await box.set([[2, STORE_SLICE_MESSAGES + 3]], 'add', DELETED);
  assert.deepEqual(await box.expunge(), { expunged: STORE_SLICE_MESSAGES, more: true });
  assert.deepEqual(await box.expunge(), { expunged: 2, more: false });
  assert.deepEqual(await box.expunge(), { expunged: 0, more: false });
  assert.deepEqual(box.flags(), ['1 0']);
  assert.equal(box.store.count('message'), 1);
  const changes = changesSince(reader, ownMailbox(box.account, INBOX), {
    modseq: before,
    lastUid: idOf(STORE_SLICE_MESSAGES + 3),
  })!;
  assert.equal(changes.vanished.length, STORE_SLICE_MESSAGES + 2);
  assert.deepEqual(changes.changed, []);
  assert.equal(changes.more, false);
});

test('expunge of certain UIDs leaves the others that are marked; without the mark only on request', async (context) => {
  const box = await open(context, 5);
  await box.set([[1, 4]], 'add', DELETED);
  await box.expunge([
    [2, 3],
    [5, 5],
  ]);
  assert.deepEqual(box.flags(), ['1 8', '4 8', '5 0']);
  await box.expunge([[5, 5]], false);
  assert.deepEqual(box.flags(), ['1 8', '4 8']);
});

test('one copy for many accounts: the bytes go with the last reference', async (context) => {
  const box = await open(context, 0);
  const others = [await box.store.account(), await box.store.account()];
  await box.store.deliver([box.account, ...others], 'Subject: all\r\n\r\n');
  assert.equal(box.store.count('message'), 1);
  assert.equal(box.store.count('mailbox_message'), 3);
  const { writer } = box.store.database;
  await box.set([[1, 1]], 'add', FLAGGED);
  assert.deepEqual(flagsBetween(box.reader, ownMailbox(others[0]!, INBOX), uidRange(1, 9))[0]?.flags, 0);
  for (const [left, account] of [
    [1, box.account],
    [1, others[0]!],
    [0, others[1]!],
  ] as const) {
    await writer.execute(expunge, { owner: account, mailbox: INBOX, ranges: [uidRange(1)], deletedOnly: false });
    assert.equal(box.store.count('message'), left);
  }
});
