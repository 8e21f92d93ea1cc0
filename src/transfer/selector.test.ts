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

const selector: fc.Arbitrary<QueueSelector> = fc.record(
  {
    channel: fc.constantFrom('smtp', 'hold', 'store'),
    destination: fc.constantFrom('remote.example', '[127.0.0.1]'),
    domain: fc.constantFrom('remote.example', 'REMOTE.example', '_emote.example', 'acme.example', '[127.0.0.1]'),
    sender: fc.constantFrom(...SENDERS, 'ANN@ACME.EXAMPLE'),
    recipient: fc.constantFrom(...RECIPIENTS, 'BOB@remote.example'),
    state: fc.constantFrom('waiting' as const, 'held' as const, 'failed' as const, 'active' as const),
    heldBy: fc.constantFrom('routing' as const, 'admin' as const),
    olderMs: fc.constantFrom(0, 3_600_000, 7_200_000),
    reason: fc.constantFrom('name server', '100%', '%', '_', 'nothing'),
  },
  { noNullPrototype: true, requiredKeys: [] },
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
  const bounds = [1, 10, 60, 360, 1440].map((minutes) => 60_000 * minutes);
  await fc.assert(
    fc.asyncProperty(selector, fc.constantFrom(0, ...bounds), async (asked, later) => {
      const now = Date.now() + later;
      const meant = Map.groupBy(
        list.filter((row) => isMeant(asked, row)),
        ({ channel, destination }) => `${channel} ${destination}`,
      );
      const ages = (rows: readonly QueueEntry[]): number[] =>
        [0, ...bounds].map(
          (from, i) =>
            rows.filter(({ createdAt }) => now - createdAt >= from && now - createdAt < (bounds[i] ?? Infinity)).length,
        );
      const lines = await queuedDestinations(reader, asked, now);
      assert.deepEqual(
        lines
          .map(({ channel, destination, rows, held, ages }) => [`${channel} ${destination}`, rows, held, ages.join()])
          .toSorted(),
        [...meant]
          .map(([key, rows]) => [
            key,
            rows.length,
            rows.filter(({ state }) => state === 'held').length,
            ages(rows).join(),
          ])
          .toSorted(),
      );
    }),
    { numRuns: 200 },
  );
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
