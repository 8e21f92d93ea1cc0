import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedState } from '../database/shared.ts';
import type { ConnectionRecord } from '../net/connection.ts';
import { admitConnections } from './client-connections.ts';

/** Two threads' views of one memory, by turns: each opens the next connection. */
function setUp() {
  const shared = new SharedState();
  const limits = { connectionsPerPeerMax: 4, smtpConnectionsPerPeerMax: 2 };
  const threads = [1, 2].map(() => {
    const { useBuckets: buckets } = new SharedState(shared.buffer);
    return admitConnections({ buckets, limits, generation: () => shared.lostThreads() });
  });
  let turn = 0;
  const open = (peerAddress: string, listener = 'imap') =>
    threads[turn++ % 2]!({ peerAddress, listener, localAddress: '192.0.2.1' } as ConnectionRecord);
  const count = (peerAddress: string, listener = 'imap'): number => {
    let opened = 0;
    while (opened < 100 && open(peerAddress, listener) !== undefined) opened++;
    return opened;
  };
  return { shared, open, count };
}

test('a client has so many connections in all threads together, and others have theirs', () => {
  const { open, count } = setUp();
  assert.equal(count('198.51.100.1'), 4);
  const close = open('198.51.100.2');
  assert.equal(count('198.51.100.2'), 3);
  close!();
  assert.equal(count('198.51.100.2'), 1);
});

test('at port 25 it has fewer, and those that are refused there are not counted elsewhere', () => {
  const { count } = setUp();
  assert.equal(count('198.51.100.1', 'smtp'), 2);
  assert.equal(count('198.51.100.1', 'submission'), 2);
});

test('a /64 is one client', () => {
  const { open, count } = setUp();
  assert.ok(open('2001:db8::1'));
  assert.equal(count('2001:db8::2'), 3);
  assert.equal(count('2001:db8:0:1::2'), 4);
});

test("this machine's own are not counted", () => {
  const { count } = setUp();
  assert.equal(count('127.0.0.1', 'smtp'), 100);
  assert.equal(count('::1'), 100);
});

test('connections of a thread that has died are not counted for ever', () => {
  const { shared, count, open } = setUp();
  const close = open('198.51.100.1');
  assert.equal(count('198.51.100.1'), 3);
  shared.forgetThread(2);
  assert.equal(count('198.51.100.1'), 4);
  // One of before, in a thread that lives.
  close!();
  assert.equal(count('198.51.100.1'), 0);
});
