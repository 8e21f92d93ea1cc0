import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { Failure } from '../base/failure.ts';
import { silentLog } from '../base/log.ts';
import { WriterClient } from './client.ts';
import { openForWriting } from './connection.ts';
import { operation } from './operation.ts';
import { SharedState } from './shared.ts';
import { openTestDatabase } from './testing.ts';
import { WriterLoop } from './writer-thread.ts';

const reply = { code: 554, enhanced: '5.4.6', text: 'The address leads only to itself' };

const failWith = operation('test.failWith', (_tx, how: 'precisely' | 'by kind') => {
  if (how === 'by kind') throw new Failure('denied', 'no');
  const ldap = { name: 'noSuchObject', matchedDn: 'o=internet' } as const;
  throw new Failure('not-found', 'is not there', { detail: 'row 7', reply, ldap });
});

test('a failure that crosses threads keeps its kind, its words, its reply and its result', async (context) => {
  const scene = openTestDatabase([]);
  const database = openForWriting(scene.path, 'OFF');
  const shared = new SharedState();
  const writer = new WriterLoop({
    database,
    operations: [failWith],
    shared,
    log: silentLog,
    fatal: assert.fail,
    acknowledgeEarly: false,
  });
  const { port1, port2 } = new MessageChannel();
  context.after(() => {
    port1.close();
    database.close();
    scene.close();
  });
  writer.serve(1, port2);
  const client = new WriterClient(port1, shared);
  await assert.rejects(client.execute(failWith, 'precisely'), {
    name: 'Failure',
    kind: 'not-found',
    message: 'is not there',
    detail: 'row 7',
    reply,
    ldap: { name: 'noSuchObject', matchedDn: 'o=internet' },
  });
  await assert.rejects(client.execute(failWith, 'by kind'), { kind: 'denied', reply: undefined, ldap: undefined });
});
