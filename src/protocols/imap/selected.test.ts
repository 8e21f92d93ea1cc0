import assert from 'node:assert/strict';
import { test } from 'node:test';
import { operation } from '../../database/operation.ts';
import { findMailbox } from '../../store/mailboxes.ts';
import { expunge } from '../../store/status.ts';
import { SelectedMailbox } from './selected.ts';
import { openTestImap } from './testing.ts';

const fill = operation('test.fill', async (tx, { account, count }: { account: number; count: number }) => {
  for (let uid = 1; uid <= count; uid++)
    await tx.run(
      `INSERT INTO mailbox_message (account, mailbox, uid, message, flags, modseq, touched, internal_date, saved, size)
       VALUES (?, 1, ?, 1, 8, 2, 0, 0, 0, 1)`,
      account,
      uid,
    );
  await tx.run('UPDATE mailbox SET messages = ?, uidnext = ? WHERE account = ?', count, count + 1, account);
});
const forgetTraces = operation('test.forget', (tx, _: Readonly<Record<string, never>>) =>
  tx.run('DELETE FROM vanished'),
);

test('who has slept longer than traces of expunged messages are kept must open the mailbox again', async () => {
  const imap = await openTestImap();
  try {
    const account = await imap.addAccount('ann', 'secret');
    const { reader, writer } = imap.database;
    await writer.execute(fill, { account, count: 3 });
    let now = 0;
    const opener = { reader, writer, clock: { now: () => now, monotonic: () => now }, breathe: async () => {} };
    const open = () => SelectedMailbox.open(opener, findMailbox(reader, account, 'INBOX')!, false);
    const [awake, asleep] = [(await open())!, (await open())!];
    const remove = (uid: number) =>
      writer.execute(expunge, { account, mailbox: 1, ranges: [[uid, uid]], deletedOnly: true });
    await remove(2);
    assert.equal(await awake.catchUp({ expunges: true }), '* 2 EXPUNGE\r\n');
    await writer.execute(forgetTraces, {});
    now += 3_600_000;
    await remove(1);
    assert.equal(await awake.catchUp({ expunges: true }), '* 1 EXPUNGE\r\n');
    assert.equal(await asleep.catchUp({ expunges: true }), undefined);
  } finally {
    await imap.close();
  }
});
