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
import { controlOf } from '../../wire/ldap/controls/codec.ts';
import { syncDone, syncRequest, syncState } from '../../wire/ldap/controls/sync.ts';
import { SYNC_INFO, type SyncInfo, syncInfo } from '../../wire/ldap/extended/sync-info.ts';
import { LdapFramer } from '../../wire/ldap/framer.ts';
import { decodeRequest, encodeResponse } from '../../wire/ldap/message.ts';
import { result } from '../../wire/ldap/result.ts';
import { addDomain, addUser, openTestDirectory, userDn } from '../testing.ts';
import { ProviderFeed } from './feed.ts';
import { type FollowedPage, takeProvided } from './position.ts';

const SEVEN = idOf<Revision>(7);

/** A server that answers each search that synchronizes, by the cookie that it comes with. */
async function providing(answer: (messageId: number, cookie: string) => readonly Uint8Array[]) {
  const server = createServer((socket) => {
    const framer = new LdapFramer(100_000);
    socket.on('error', () => {});
    socket.on('data', (data: Buffer) => {
      framer.push(data);
      for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
        const { messageId, operation, controls } = decodeRequest(frame);
        const sync = controls.find(({ type }) => type === syncRequest.type);
        if (operation.kind !== 'search' || sync === undefined) continue;
        const cookie = Buffer.from(syncRequest.decode(sync.value!).cookie!).toString();
        socket.write(Buffer.concat(answer(messageId, cookie)));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `ldap://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

function info(messageId: number, value: SyncInfo): Uint8Array {
  const operation = { kind: 'intermediateResponse', name: SYNC_INFO, value: syncInfo.encode(value) } as const;
  return encodeResponse({ messageId, operation, controls: [] });
}

const cookieOf = (revision: number): string => `rid=001,csn=${formatCsn(revision, 1)}`;

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
  await writer.execute(takeProvided, { changes: [], reached: { cookie: cookieOf(7), revision: SEVEN } });
  const asked: string[] = [];
  const tried: number[] = [];
  const provider = await providing((messageId, cookie) => {
    asked.push(cookie);
    const done = { kind: 'refreshDelete' as const, cookie: Buffer.from(cookieOf(8)), refreshDone: true };
    const more = Array.from({ length: 50 }, (_, i) => Buffer.from(cookieOf(9 + i)));
    return [info(messageId, done), ...more.map((each) => info(messageId, { kind: 'newCookie', cookie: each }))];
  });
  const failing: Writer = {
    execute(_operation, args) {
      tried.push((args as FollowedPage).reached!.revision);
      // The end of the refresh is kept, and what comes behind it is not, once.
      if (tried.length !== 2) return writer.execute(_operation, args);
      return Promise.reject(new Failure('full', 'The disk is full'));
    },
  };
  const feed = new ProviderFeed({
    ...{ reader, writer: failing, log: silentLog, clock: systemClock, servers: { urls: [provider.url] } },
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

test('the first refresh says why it is not here, where its last commit fails', async () => {
  const { reader, writer, close } = await openTestDirectory();
  const provider = await providing((messageId) => {
    const done = controlOf(syncDone, { cookie: Buffer.from(cookieOf(8)), refreshDeletes: true });
    const operation = { kind: 'searchDone', result: result('success') } as const;
    return [encodeResponse({ messageId, operation, controls: [done] })];
  });
  const failing: Writer = {
    execute: (called, args) =>
      (args as FollowedPage).reached?.revision === 8
        ? Promise.reject(new Failure('full', 'The disk is full'))
        : writer.execute(called, args),
  };
  const feed = new ProviderFeed({
    ...{ reader, writer: failing, log: silentLog, clock: systemClock, servers: { urls: [provider.url] } },
    askedHere: () => undefined,
  });
  await assert.rejects(feed.first(), { kind: 'full', message: 'The disk is full' });
  assert.notEqual(feed.state.state, 'current');
  provider.close();
  close();
});

test('addresses that are swapped, and swapped back in the same page, are whose they are in the end', async () => {
  const directory = await openTestDirectory();
  const { reader, writer } = directory;
  await directory.apply(addDomain('acme.example'));
  const [ann, bob] = ['ann@acme.example', 'bob@acme.example'];
  const uuids = new Map([ann, bob].map((who, i) => [who, `00000000-0000-4000-8000-00000000000${i}`]));
  const given = (messageId: number, who: string, mail: string, revision: number): Uint8Array => {
    const made = addUser(who, { mail });
    assert.ok(made.kind === 'add');
    const facts = { id: 1000 + Number(uuids.get(who)!.at(-1)), revision, createdAt: 1, modifiedAt: 1 };
    const attributes = [...made.attributes, { name: 'waypostEntryFacts', values: [JSON.stringify(facts)] }];
    const state = controlOf(syncState, { state: 'modify', uuid: uuids.get(who)!, cookie: undefined });
    return encodeResponse({
      messageId,
      operation: { kind: 'searchEntry', dn: userDn(who), attributes },
      controls: [state],
    });
  };
  const provider = await providing((messageId) => [
    given(messageId, ann, ann, 101),
    given(messageId, bob, bob, 102),
    info(messageId, { kind: 'refreshDelete', cookie: Buffer.from(cookieOf(102)), refreshDone: true }),
    given(messageId, ann, bob, 103),
    given(messageId, bob, ann, 104),
    info(messageId, { kind: 'newCookie', cookie: Buffer.from(cookieOf(104)) }),
    ...[ann, bob, bob, ann].map((mail, i) => given(messageId, i % 2 === 0 ? ann : bob, mail, 105 + i)),
    info(messageId, { kind: 'newCookie', cookie: Buffer.from(cookieOf(108)) }),
  ]);
  const feed = new ProviderFeed({
    ...{ reader, writer, log: silentLog, clock: systemClock, servers: { urls: [provider.url] } },
    askedHere: () => undefined,
  });
  feed.start();
  await until('the last cookie', () => feed.reached === 108);
  await feed.stop();
  provider.close();
  const holders = [ann, bob].map((address) => directory.cache.recipient(address)?.dn);
  assert.deepEqual(holders, [userDn(bob), userDn(ann)]);
  directory.close();
});

test('a provider that says nothing is asked whether it is there, and given up when it does not answer', async () => {
  const { reader, writer, close } = await openTestDirectory();
  const asked: string[] = [];
  // It answers searches that synchronize alone.
  const provider = await providing((messageId, cookie) => {
    asked.push(cookie);
    return [info(messageId, { kind: 'refreshDelete', cookie: Buffer.from(cookieOf(108)), refreshDone: true })];
  });
  const servers = { urls: [provider.url], silenceMs: 3000 };
  const feed = new ProviderFeed({
    ...{ reader, writer, log: silentLog, clock: systemClock, servers },
    askedHere: () => undefined,
  });
  feed.start();
  await until('all there is', () => feed.state.state === 'current');
  await feed.prove();
  await until('another connection', () => asked.length === 2 && feed.state.state === 'current');
  await feed.stop();
  provider.close();
  assert.deepEqual(asked, ['rid=001', cookieOf(108)]);
  close();
});
