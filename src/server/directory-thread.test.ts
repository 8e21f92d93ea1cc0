// Calls of the directory thread while there is none: it has died, and its successor does not serve yet.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DirectoryThread } from './directory-thread.ts';
import { ServingThread } from './supervisor.ts';

test('a call while the thread is being replaced is refused at once, as one that it dies over is', async () => {
  const thread = new ServingThread(1, 'directory', () => Promise.resolve());
  let died: ((thread: ServingThread) => void) | undefined;
  const posted: unknown[] = [];
  const directory = new DirectoryThread({
    reader: undefined as never,
    writer: { onNotification: () => () => {} },
    supervisor: {
      onReport: () => () => {},
      onExit: (listener) => {
        died = listener;
      },
      startThread: () => Promise.resolve(thread),
    },
    isElsewhere: false,
  });
  const ask = () => directory.acceptRemovals('corp');

  thread.serves({ postMessage: (order: unknown) => posted.push(order) } as never);
  const asked = ask();
  await new Promise((turn) => setImmediate(turn));
  assert.equal(posted.length, 1);
  thread.died();
  died?.(thread);
  await assert.rejects(asked, { kind: 'unavailable', message: 'The directory thread has ended' });

  await assert.rejects(ask(), { kind: 'unavailable', message: 'The directory thread is being replaced' });

  thread.serves({ postMessage: (order: unknown) => posted.push(order) } as never);
  void ask().catch(() => {});
  await new Promise((turn) => setImmediate(turn));
  assert.equal(posted.length, 2);
});
