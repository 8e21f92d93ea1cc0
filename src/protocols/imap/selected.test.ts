import assert from 'node:assert/strict';
import { test } from 'node:test';
import { INBOX } from '../../store/accounts.ts';
import { collect, NO_SEGMENT } from '../../store/collect.ts';
import { FLAGGED } from '../../store/flags.ts';
import { ownMailbox } from '../../store/mailbox-key.ts';
import { openTestBox } from '../../store/testing.ts';
import { SelectedMailbox } from './selected.ts';
import { Views } from './views.ts';

test('a session that has slept longer than traces of expunged messages are kept must open the mailbox again', async () => {
  const box = await openTestBox(3);
  try {
    const { reader, writer } = box;
    let now = 0;
    const clock = { now: () => now, monotonic: () => now };
    const opener = {
      reader,
      writer,
      clock,
      views: new Views(reader, clock),
      enabled: new Set<never>(),
      breathe: async () => {},
    };
    const key = ownMailbox(box.account, INBOX);
    const open = () => SelectedMailbox.open(opener, key, { reader: box.account, readOnly: false });
    const [awake, asleep] = [(await open())!, (await open())!];
    await box.expunge([[2, 2]], false);
    assert.equal(await awake.catchUp({ expunges: true }), '* 2 EXPUNGE\r\n');
    // Traces are kept by number of changes: another one, and only those of the last are.
    await box.set([[3, 3]], 'add', FLAGGED);
    await writer.execute(collect, { after: NO_SEGMENT, keptModseqs: 0 });
    now += 3_600_000;
    await box.expunge([[1, 1]], false);
    assert.equal(await awake.catchUp({ expunges: true }), '* 1 EXPUNGE\r\n* 1 FETCH (FLAGS (\\Flagged \\Recent))\r\n');
    assert.equal(await asleep.catchUp({ expunges: true }), undefined);
  } finally {
    await box.close();
  }
});
