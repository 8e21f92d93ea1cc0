// How long a transfer waits for its client: the limits as they are, on a clock that the test turns.

import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import { test } from 'node:test';
import { silentLog } from '../../base/log.ts';
import type { ConnectionRecord } from '../../net/connection.ts';
import type { Answer } from './answer.ts';
import { serveDnsTcp } from './tcp-session.ts';

const record: ConnectionRecord = {
  ...{ id: 1, listener: 'dns', localAddress: '127.0.0.1', localPort: 53, peerAddress: '127.0.0.1', peerPort: 5300 },
  ...{ tls: undefined, isPrivate: true },
};
const MESSAGE_BYTES = 16_384;
const TURNS = 50;

test('a client that takes nothing of a transfer for 30 s is cut off; one that takes a little is not', async (context) => {
  let nowMs = 0;
  context.mock.method(performance, 'now', () => nowMs);
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const advance = async (ms: number): Promise<void> => {
    nowMs += ms;
    context.mock.timers.tick(ms);
    for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  let made = 0;
  function* endless() {
    for (; ; made++) yield new Uint8Array(MESSAGE_BYTES);
  }
  const answer: Answer = () => endless();
  const [ours, theirs] = duplexPair();
  serveDnsTcp({ answer, log: silentLog }, ours, record);
  theirs.write(Buffer.concat([Buffer.of(0, 12), Buffer.alloc(12)]));
  await advance(0);
  const ahead = made;
  assert.ok(ahead > 2 && ahead < 40, `${ahead} messages`);
  for (let minutes = 0; minutes < 3; minutes++) {
    await advance(29_000);
    assert.ok(theirs.read() !== null);
    await advance(1000);
    assert.equal(ours.destroyed, false);
  }
  // Where nothing is taken any more, that is seen at the next look.
  await advance(29_000);
  assert.equal(ours.destroyed, false);
  await advance(1000);
  assert.equal(ours.destroyed, true);
  assert.ok(made <= ahead + 3, `${made} messages`);
});

test('a client waits for as long as we look for what there is to tell, and is cut off when it asks for nothing more', async (context) => {
  let nowMs = 0;
  context.mock.method(performance, 'now', () => nowMs);
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const advance = async (ms: number): Promise<void> => {
    nowMs += ms;
    context.mock.timers.tick(ms);
    for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  let isFound = false;
  function* sought() {
    for (let part = 0; part < 2; part++) {
      // Each look is a turn of its own.
      for (isFound = false; !isFound; nowMs += 3) yield undefined;
      yield new Uint8Array(MESSAGE_BYTES);
    }
  }
  const [ours, theirs] = duplexPair();
  serveDnsTcp({ answer: sought, log: silentLog }, ours, record);
  theirs.write(Buffer.concat([Buffer.of(0, 12), Buffer.alloc(12)]));
  await advance(0);
  for (let part = 0; part < 2; part++) {
    for (let looks = 0; looks < 5; looks++) await advance(25_000);
    assert.equal(ours.destroyed, false);
    assert.equal(theirs.read(), null);
    isFound = true;
    await advance(0);
    assert.equal((theirs.read() as Buffer | null)?.length, MESSAGE_BYTES + 2);
  }
  await advance(29_000);
  assert.equal(ours.destroyed, false);
  await advance(1000);
  assert.equal(ours.destroyed, true);
});
