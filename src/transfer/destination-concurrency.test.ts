// Destination concurrency: every row is begun once, in deliveries of one message, never more at once than is allowed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { idOf, type QueueRowId } from '../base/ids.ts';
import { groupRows } from './deliveries.ts';
import { DestinationConcurrency } from './destination-concurrency.ts';
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
function open(deliveriesMax: number, jobsMax: (channel: string) => number | undefined = () => undefined) {
  const running: (readonly QueueRow[])[] = [];
  const begun: (readonly QueueRow[])[] = [];
  const concurrency = new DestinationConcurrency(deliveriesMax, jobsMax);
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
          name === 'partner' ? jobs : undefined,
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

test('slow destinations leave room for others', () => {
  const { running, add } = open(10);
  for (const destination of ['a', 'b', 'c'])
    for (let message = 0; message < 20; message++) add([row(message, message, destination)]);
  const before = running.length;
  assert.ok(before <= 8, `${before} taken by three destinations`);
  add([row(1, 1, 'd')]);
  assert.equal(running.at(-1)?.[0]?.destination, 'd');
});

test('what waits for a host that is down is handed back, once', () => {
  const { concurrency, running, add, end } = open(10);
  for (let message = 0; message < 20; message++) add([row(message, message, 'a')]);
  const waiting = concurrency.takeWaiting('smtp a');
  assert.equal(waiting.length + running.length, 20);
  assert.deepEqual(concurrency.takeWaiting('smtp a'), []);
  while (running.length > 0) end(0);
  assert.equal(concurrency.heldRows, 0);
});

test('a destination with many rows is not given more until it has room', () => {
  const { concurrency, end, running, add } = open(1);
  add(Array.from({ length: 300 }, (_, id) => row(id, id, 'a')));
  assert.deepEqual(concurrency.full(), ['smtp a']);
  for (let ended = 0; ended < 249; ended++) end(0);
  assert.deepEqual(concurrency.full(), ['smtp a']);
  end(0);
  assert.deepEqual(concurrency.full(), []);
  assert.equal(running.length, 1);
});

test('a channel with a limit of its own is not given more than it is near to, whatever the destinations', () => {
  const { concurrency, end, running, add } = open(50, (name) => (name === 'partner' ? 1 : undefined));
  for (let id = 0; id < 199; id++) add([row(id, id, `p${id % 40}`, 'partner')]);
  for (let id = 1000; id < 2000; id++) add([row(id, id, `s${id % 40}`)]);
  assert.deepEqual(concurrency.fullChannels(), []);
  add([row(199, 199, 'p0', 'partner')]);
  assert.deepEqual(concurrency.fullChannels(), ['partner']);
  end(running.findIndex(([first]) => first?.channel === 'partner'));
  assert.deepEqual(concurrency.fullChannels(), []);
});
