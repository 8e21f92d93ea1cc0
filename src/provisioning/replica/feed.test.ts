// The feed of a second server, without the first and with commits that fail.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { until } from '../../../test/support/until.ts';
import { systemClock } from '../../base/clock.ts';
import { Failure } from '../../base/failure.ts';
import { idOf, type Revision } from '../../base/ids.ts';
import { silentLog } from '../../base/log.ts';
import type { Writer } from '../../database/operation.ts';
import { formatCsn } from '../../directory/csn.ts';
import { syncRequest } from '../../wire/ldap/controls/sync.ts';
import { SYNC_INFO, type SyncInfo, syncInfo } from '../../wire/ldap/extended/sync-info.ts';
import { LdapFramer } from '../../wire/ldap/framer.ts';
import { decodeRequest, encodeResponse } from '../../wire/ldap/message.ts';
import { openTestDirectory } from '../testing.ts';
import { ProviderFeed } from './feed.ts';
import { type FollowedPage, takeProvided } from './position.ts';

const SEVEN = idOf<Revision>(7);

test('the position from before a break is no answer until the refresh is whole', async () => {
  const { reader, writer, close } = await openTestDirectory();
  try {
    const cookie = `rid=001,csn=${formatCsn(SEVEN, 1)}`;
    await writer.execute(takeProvided, { changes: [], reached: { cookie, revision: SEVEN } });
    const feed = new ProviderFeed({
      reader,
      writer,
      log: silentLog,
      clock: systemClock,
      servers: { urls: [] },
      askedHere: () => undefined,
    });
    assert.equal(feed.reached, SEVEN);
    assert.equal(await feed.has(SEVEN, 1), false);
  } finally {
    close();
  }
});

test('a commit that fails ends the connection, and nothing behind it on that connection is committed', async () => {
  const { reader, writer, close } = await openTestDirectory();
  const cookieOf = (revision: number) => `rid=001,csn=${formatCsn(revision, 1)}`;
  await writer.execute(takeProvided, { changes: [], reached: { cookie: cookieOf(7), revision: SEVEN } });
  const asked: string[] = [];
  const tried: number[] = [];
  const provider = createServer((socket) => {
    const framer = new LdapFramer(100_000);
    socket.on('error', () => {});
    socket.on('data', (data: Buffer) => {
      framer.push(data);
      for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
        const { messageId, operation, controls } = decodeRequest(frame);
        if (operation.kind !== 'search') continue;
        const sync = controls.find(({ type }) => type === syncRequest.type);
        asked.push(Buffer.from(syncRequest.decode(sync!.value!).cookie!).toString());
        const info = (value: SyncInfo) =>
          encodeResponse({
            messageId,
            operation: { kind: 'intermediateResponse', name: SYNC_INFO, value: syncInfo.encode(value) },
            controls: [],
          });
        const done = { kind: 'refreshDelete' as const, cookie: Buffer.from(cookieOf(8)), refreshDone: true };
        const more = Array.from({ length: 50 }, (_, i) => Buffer.from(cookieOf(9 + i)));
        socket.write(Buffer.concat([info(done), ...more.map((cookie) => info({ kind: 'newCookie', cookie }))]));
      }
    });
  });
  provider.listen(0, '127.0.0.1');
  await once(provider, 'listening');
  const failing: Writer = {
    execute(_operation, args) {
      tried.push((args as FollowedPage).reached!.revision);
      // The end of the refresh is kept, and what comes behind it is not, once.
      if (tried.length !== 2) return writer.execute(_operation, args);
      return Promise.reject(new Failure('full', 'The disk is full'));
    },
  };
  const urls = [`ldap://127.0.0.1:${(provider.address() as AddressInfo).port}`];
  const feed = new ProviderFeed({
    ...{ reader, writer: failing, log: silentLog, clock: systemClock, servers: { urls } },
    askedHere: () => undefined,
  });
  feed.start();
  await until('the second connection', () => asked.length === 2);
  await feed.stop();
  provider.close();
  assert.deepEqual(asked, [cookieOf(7), cookieOf(8)]);
  assert.equal(tried[0], 8);
  close();
});
