// Destination concurrency: every row is begun once, in deliveries of one message, never more at once than is allowed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { idOf, type QueueRowId } from '../base/ids.ts';
import { groupRows } from './deliveries.ts';
import { type ConcurrencyParts, DestinationConcurrency } from './destination-concurrency.ts';
import { outcome } from './outcome.ts';
import type { QueueRow } from './queue.ts';

const RECIPIENTS_MAX = 100;

function row(id: number, message: number, destination: string, channel = 'smtp'): QueueRow {
  return {
    id: id as QueueRowId,
    message: idOf(message),
    channel,
    destination,
    sender: 'ann@acme.example',
    recipient: `r${id}@${destination}`,
    options: '',
    state: 'waiting',
    heldBy: undefined,
    action: undefined,
    releaseAt: undefined,
    deliverBy: undefined,
    priority: 0,
    delays: 0,
    isDelayDue: false,
    prefix: '',
    intent: undefined,
    lease: 0,
    createdAt: 0,
    planned: idOf(0),
    nextAttemptAt: 0,
    attempts: 0,
    lastAttemptAt: undefined,
    waitedMs: 0,
    status: undefined,
    remote: undefined,
    lastError: undefined,
  };
}

/** Deliveries that end when the test says so. */
function open(
  places: number,
  wordsOf: ConcurrencyParts['wordsOf'] = () => undefined,
  more: Partial<ConcurrencyParts> = {},
) {
  const running: (readonly QueueRow[])[] = [];
  const begun: (readonly QueueRow[])[] = [];
  const concurrency = new DestinationConcurrency({
    ...{ places, wordsOf, ownOf: () => undefined, now: () => 0 },
    ...more,
  });
  const begin = (): void => {
    for (let rows = concurrency.next(); rows !== undefined; rows = concurrency.next()) {
      running.push(rows);
      begun.push(rows);
    }
  };
  const add = (rows: readonly QueueRow[]): void => {
    for (const group of groupRows(rows, RECIPIENTS_MAX)) concurrency.add(group);
    begin();
  };
  const end = (index: number): void => {
    const [ended] = running.splice(index, 1);
    if (ended !== undefined) concurrency.done(ended);
    begin();
  };
  return { concurrency, running, begun, add, end };
}

test('every row is begun exactly once, whatever comes and ends in which order', () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({
        message: fc.nat(5),
        destination: fc.constantFrom('a', 'b', 'c', 'd'),
        rows: fc.integer({ min: 1, max: 250 }),
      }),
      fc.record({ end: fc.nat(20) }),
    ),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(
      steps,
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 5 }),
      (actions, deliveriesMax, jobs) => {
        const { concurrency, running, begun, add, end } = open(deliveriesMax, (name) =>
          name === 'partner' ? { maxJobs: jobs } : undefined,
        );
        const channelOf = (destination: string): string => (destination < 'c' ? 'smtp' : 'partner');
        let ids = 0;
        for (const action of actions) {
          if ('end' in action) end(action.end % Math.max(1, running.length));
          else {
            const { rows, message, destination } = action;
            add(Array.from({ length: rows }, () => row(++ids, message, destination, channelOf(destination))));
          }
          assert.ok(running.length <= deliveriesMax);
          assert.ok(running.filter(([first]) => first?.channel === 'partner').length <= jobs);
          if (concurrency.heldRows > 0) assert.ok(running.length > 0, 'rows wait and no delivery runs');
        }
        while (running.length > 0) end(0);
        assert.equal(concurrency.heldRows, 0);
        const seen = begun.flat().map(({ id }) => id);
        assert.deepEqual(
          [...seen].sort((a, b) => a - b),
          Array.from({ length: ids }, (_, i) => i + 1),
        );
        for (const rows of begun) {
          assert.ok(rows.length <= RECIPIENTS_MAX);
          assert.equal(new Set(rows.map(({ message, destination }) => `${message} ${destination}`)).size, 1);
        }
      },
    ),
  );
});

test('none has more than half of all places while others wait', () => {
  const { concurrency, running, add, end } = open(10);
  const countOf = (destination: string): number =>
    running.filter(([first]) => first?.destination === destination).length;
  add([row(0, 0, 'a')]);
  // Its host has shown that it bears much.
  for (let time = 0; time < 100; time++) concurrency.reached(row(0, 0, 'a'));
  for (let id = 1; id < 40; id++) add([row(id, id, 'a')]);
  assert.equal(countOf('a'), 10, 'nobody else waits');
  for (let id = 40; id < 60; id++) add([row(id, id, 'b')]);
  for (let ended = 0; ended < 5; ended++) end(running.findIndex(([first]) => first?.destination === 'a'));
  assert.deepEqual([countOf('a'), countOf('b')], [5, 5]);
  for (let ended = 0; ended < 5; ended++) end(running.findIndex(([first]) => first?.destination === 'a'));
  assert.deepEqual([countOf('a'), countOf('b')], [5, 5]);
});

test('each host has as many deliveries at once as it has shown to bear, and at most as many as its channel says', () => {
  const { concurrency, running, add } = open(100, () => ({ concurrency: 8 }), {
    ownOf: ({ destination }) => (destination === 'own' ? 2 : undefined),
  });
  for (let id = 0; id < 30; id++) add([row(id, id, 'a')]);
  assert.equal(running.length, 5);
  for (let time = 0; time < 100; time++) concurrency.reached(row(0, 0, 'a'));
  add([row(30, 30, 'a')]);
  assert.equal(running.length, 8);
  for (let id = 100; id < 110; id++) add([row(id, id, 'own')]);
  assert.equal(running.length, 10);
});

test('a destination that cannot be reached is closed until its first wait is over, then one probes', () => {
  let now = 0;
  const { concurrency, running, add, end } = open(100, () => undefined, { now: () => now });
  const a = row(0, 0, 'a');
  const down = outcome('deferred', '4.4.1', 'no connection');
  for (let id = 0; id < 10; id++) add([row(id, id, 'a')]);
  assert.equal(running.length, 5);
  for (let time = 0; time < 4; time++) concurrency.missed(a, down, 1000);
  assert.equal(concurrency.closed(a), undefined);
  concurrency.missed(a, down, 1000);
  assert.equal(concurrency.closed(a), down);
  assert.equal(concurrency.takeWaiting('smtp\na').length, 5);
  while (running.length > 0) end(0);
  now = 999;
  assert.equal(concurrency.closed(a), down, 'it is remembered without rows');
  now = 1000;
  assert.equal(concurrency.closed(a), undefined);
  for (let id = 10; id < 20; id++) add([row(id, id, 'a')]);
  assert.equal(running.length, 1, 'one probes');
  concurrency.reached(a);
  end(0);
  assert.equal(running.length, 2);
});

test('urgent mail goes before the rest of its destination', () => {
  const { begun, add, end, running } = open(1);
  add([row(0, 0, 'a')]);
  for (const [id, priority] of [0, 3, -2, 3, 9].entries()) add([{ ...row(id + 1, id + 1, 'a'), priority }]);
  while (running.length > 0) end(0);
  assert.deepEqual(
    begun.map(([first]) => first!.id),
    [0, 5, 2, 4, 1, 3],
  );
});

test('a channel with a rate begins no more in its time, in any such time', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.record({ wait: fc.integer({ min: 0, max: 400 }), rows: fc.nat(4) }), { maxLength: 30 }),
      (count, steps) => {
        let now = 0;
        const begun: number[] = [];
        const { concurrency, add, running, end } = open(1000, () => ({ rate: { count, ms: 1000 } }), {
          now: () => now,
        });
        let ids = 0;
        for (const { wait, rows } of steps) {
          now += wait;
          const before = running.length;
          for (let added = 0; added < rows; added++) add([row(++ids, ids, `d${ids}`)]);
          for (let next = concurrency.next(); next !== undefined; next = concurrency.next()) running.push(next);
          for (let at = before; at < running.length; at++) begun.push(now);
          const { rateAt } = concurrency;
          const isAllBegun = begun.length === ids;
          assert.equal(rateAt === undefined, isAllBegun);
          if (rateAt !== undefined) assert.ok(rateAt > now && rateAt <= now + 1000);
        }
        for (const from of begun)
          assert.ok(begun.filter((time) => time >= from && time < from + 1000).length <= count, `${begun}`);
        while (running.length > 0) end(0);
      },
    ),
  );
});

test('what waits for a host that is down is handed back, once', () => {
  const { concurrency, running, add, end } = open(10);
  for (let message = 0; message < 20; message++) add([row(message, message, 'a')]);
  const waiting = concurrency.takeWaiting('smtp\na');
  assert.equal(waiting.length + running.length, 20);
  assert.deepEqual(concurrency.takeWaiting('smtp\na'), []);
  while (running.length > 0) end(0);
  assert.equal(concurrency.heldRows, 0);
});

test('a destination with many rows is not given more until it has room', () => {
  const { concurrency, end, running, add } = open(1);
  add(Array.from({ length: 600 }, (_, id) => row(id, id, 'a')));
  assert.deepEqual(concurrency.full(), ['smtp\na']);
  for (let ended = 0; ended < 499; ended++) end(0);
  assert.deepEqual(concurrency.full(), ['smtp\na']);
  end(0);
  assert.deepEqual(concurrency.full(), []);
  assert.equal(running.length, 1);
});

test('a channel with a limit of its own is not given more than it is near to, whatever the destinations', () => {
  const { concurrency, end, running, add } = open(50, (name) => (name === 'partner' ? { maxJobs: 1 } : undefined));
  for (let id = 0; id < 199; id++) add([row(id, id, `p${id % 40}`, 'partner')]);
  for (let id = 1000; id < 2000; id++) add([row(id, id, `s${id % 40}`)]);
  assert.deepEqual(concurrency.fullChannels(), []);
  add([row(199, 199, 'p0', 'partner')]);
  assert.deepEqual(concurrency.fullChannels(), ['partner']);
  end(running.findIndex(([first]) => first?.channel === 'partner'));
  assert.deepEqual(concurrency.fullChannels(), []);
});
