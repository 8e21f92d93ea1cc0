// Selected rows are those that a naive filter of the list gives, whatever is asked for and wherever slices end.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { add, addDomain, addUser, userDn } from '../provisioning/testing.ts';
import { queuedDestinations } from './destinations.ts';
import { listQueue, type QueueEntry } from './queue.ts';
import { type QueueSelector, selectedRows } from './selector.ts';
import { TestTransfer } from './testing.ts';

const ANN = 'ann@acme.example';
const RECIPIENTS = ['Bob@remote.example', '"a@b c"@remote.example', 'bob@xremote.example', 'bob@[127.0.0.1]'];
const SENDERS = ['', ANN, 'Ann.Other@acme.example'];

let transfer: TestTransfer;

before(async () => {
  const later = () => Promise.reject(new Error('no host is asked'));
  transfer = await TestTransfer.open({
    resolver: {
      mx: (domain) => Promise.resolve({ result: 'unavailable', reason: `No name server for ${domain} 100%` }),
      addresses: later,
    },
    policy: { retryMs: [3_600_000], expireMs: 86_400_000 },
  });
  await transfer.directory.apply(addDomain('acme.example'), addUser(ANN));
  await transfer.directory.apply(
    add(userDn('eve@acme.example'), {
      objectClass: ['inetOrgPerson', 'inetUser', 'inetMailUser'],
      ...{ uid: 'eve', cn: 'eve', sn: 'eve', mail: 'eve@acme.example', mailUserStatus: 'hold' },
    }),
  );
  for (const from of SENDERS) await transfer.accept({ from, to: RECIPIENTS.slice(0, 3), text: 'Subject: x\r\n\r\n' });
  await transfer.start();
  await transfer.until('all were tried', () => transfer.queue().every(({ attempts }) => attempts > 0));
  await transfer.start({ policy: { retryMs: [3_600_000], expireMs: 86_400_000 } });
  await transfer.accept({ from: ANN, to: ['eve@acme.example', RECIPIENTS[3]!], text: 'Subject: x\r\n\r\n' });
});
after(() => transfer.close());

const WAYS = {
  channel: ['smtp', 'hold', 'store'],
  destination: ['remote.example', '[127.0.0.1]'],
  domain: ['remote.example', 'REMOTE.example', '_emote.example', 'acme.example', '[127.0.0.1]'],
  sender: [...SENDERS, 'ANN@ACME.EXAMPLE'],
  recipient: [...RECIPIENTS, 'BOB@remote.example'],
  state: ['waiting', 'held', 'failed', 'active'],
  heldBy: ['routing', 'admin'],
  olderMs: [0, 3_600_000, 7_200_000],
  reason: ['name server', '100%', '%', '_', 'nothing'],
} as const;
/** By up to three ways: more at once leave nothing to be compared. */
const selector: fc.Arbitrary<QueueSelector> = fc
  .subarray(Object.keys(WAYS) as (keyof typeof WAYS)[], { maxLength: 3 })
  .chain((ways) =>
    fc.record(Object.fromEntries(ways.map((way) => [way, fc.constantFrom<unknown>(...WAYS[way])])) as never),
  );

test('a naive filter agrees', () => {
  const { reader } = transfer.directory;
  const list = listQueue(reader);
  assert.ok(list.length >= 10);
  // Two hours on, all rows are old.
  const now = Date.now() + 3_600_000;
  fc.assert(
    fc.property(selector, fc.nat(list.length), (asked, from) => {
      const after = from === 0 ? 0 : list[from - 1]!.id;
      const upTo = list.at(-2)!.id;
      const expected = list.filter(({ id }) => id > after && id <= upTo).filter((row) => isMeant(asked, row));
      const { rows } = selectedRows(reader, asked, { after, upTo, now });
      assert.deepEqual(
        rows.map(({ id }) => id),
        expected.map(({ id }) => id),
      );
    }),
    { numRuns: 500 },
  );
});

test('the lines of destinations count what a naive filter leaves', async () => {
  const { reader } = transfer.directory;
  const list = listQueue(reader);
  const now = Date.now() + 3_600_000;
  await fc.assert(
    fc.asyncProperty(selector, async (asked) => {
      const meant = Map.groupBy(
        list.filter((row) => isMeant(asked, row)),
        ({ channel, destination }) => `${channel} ${destination}`,
      );
      const lines = await queuedDestinations(reader, asked, now);
      assert.deepEqual(
        lines.map(({ channel, destination, rows, held }) => [`${channel} ${destination}`, rows, held]).toSorted(),
        [...meant]
          .map(([key, rows]) => [key, rows.length, rows.filter(({ state }) => state === 'held').length])
          .toSorted(),
      );
    }),
    { numRuns: 200 },
  );
});

test('the lines of destinations count rows by age: below a minute, ten, an hour, six, a day, and older', async () => {
  const { reader } = transfer.directory;
  const minutes = [5, 30, 120, 600, 1800];
  for (const [i, later] of minutes.entries())
    for (const { rows, ages } of await queuedDestinations(reader, {}, Date.now() + 60_000 * later))
      assert.deepEqual(ages, [0, ...minutes.map((_, other) => (other === i ? rows : 0))]);
});

function isMeant(asked: QueueSelector, row: QueueEntry): boolean {
  const { channel, destination, domain, sender, recipient, state, heldBy, olderMs, reason } = asked;
  const equal = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();
  return (
    (channel === undefined || row.channel === channel) &&
    (destination === undefined || row.destination === destination) &&
    (domain === undefined || equal(row.recipient.slice(row.recipient.lastIndexOf('@') + 1), domain)) &&
    (sender === undefined || equal(row.sender, sender)) &&
    (recipient === undefined || equal(row.recipient, recipient)) &&
    (state === undefined || row.state === state) &&
    (heldBy === undefined || row.heldBy === heldBy) &&
    // All of them came within a minute, and an hour has gone by.
    (olderMs === undefined || olderMs <= 3_600_000) &&
    (reason === undefined || (row.lastError ?? '').toLowerCase().includes(reason))
  );
}
