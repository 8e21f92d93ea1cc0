import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idOf } from '../base/ids.ts';
import { MaildropClient, MaildropLocks, type MaildropRequest } from './maildrop-locks.ts';

const first = { thread: 1, connection: 7 };
const second = { thread: 2, connection: 7 };

test('a maildrop has one holder; others are not concerned', () => {
  const locks = new MaildropLocks();
  assert.equal(locks.lock(idOf(1), first), true);
  assert.equal(locks.lock(idOf(1), second), false);
  assert.equal(locks.lock(idOf(2), second), true);
  locks.release(idOf(1), first);
  assert.equal(locks.lock(idOf(1), second), true);
});

test('only the holder lets it go: the same connection number in another thread is another', () => {
  const locks = new MaildropLocks();
  locks.lock(idOf(1), first);
  locks.release(idOf(1), second);
  locks.release(idOf(1), { thread: 1, connection: 8 });
  assert.equal(locks.lock(idOf(1), second), false);
});

test('a thread that dies holds nothing', () => {
  const locks = new MaildropLocks();
  locks.lock(idOf(1), first);
  locks.lock(idOf(2), first);
  locks.lock(idOf(3), second);
  locks.forgetThread(1);
  assert.equal(locks.lock(idOf(1), second), true);
  assert.equal(locks.lock(idOf(2), second), true);
  assert.equal(locks.lock(idOf(3), first), false);
});

test('the client gets each answer to its own question', async () => {
  const asked: MaildropRequest[] = [];
  const client = new MaildropClient((request) => asked.push(request));
  const granted = client.lock(idOf(1), 7);
  const refused = client.lock(idOf(2), 8);
  client.answered({ kind: 'maildrop', request: asked[1]!.request, granted: false });
  client.answered({ kind: 'maildrop', request: asked[0]!.request, granted: true });
  assert.equal(await refused, undefined);
  const released = (await granted)!();
  const { kind, account, connection, request } = asked[2]!;
  assert.deepEqual({ kind, account, connection }, { kind: 'release-maildrop', account: 1, connection: 7 });
  client.answered({ kind: 'maildrop', request, granted: false });
  await released;
});
