// What a server that is followed may say, in any legal order: the pages that come of it, and what they let their reader forget.
// RFC 4533 §3.3 §3.4

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scriptedLdap } from '../../../test/support/scripted-ldap.ts';
import { Failure } from '../../base/failure.ts';
import { controlOf } from '../../wire/ldap/controls/codec.ts';
import { type SyncState, syncState } from '../../wire/ldap/controls/sync.ts';
import { SYNC_INFO, type SyncInfo, syncInfo } from '../../wire/ldap/extended/sync-info.ts';
import { parseFilter } from '../../wire/ldap/filter-text.ts';
import { encodeResponse } from '../../wire/ldap/message.ts';
import { result } from '../../wire/ldap/result.ts';
import type { resultCodes } from '../../wire/ldap/result-codes.ts';
import { LdapConnection } from './connection.ts';
import { followSync, type SyncPage } from './consumer.ts';

type Said = SyncInfo | Pick<SyncState, 'state' | 'uuid' | 'cookie'> | { readonly end: keyof typeof resultCodes };

const uuid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const [A, B, C] = [uuid(1), uuid(2), uuid(3)];
const cookie = (text: string): Uint8Array => Buffer.from(text);
const named = (state: SyncState['state'], of: string, at?: string): Said => ({
  ...{ state, uuid: of, cookie: at === undefined ? undefined : cookie(at) },
});
const refreshed = (kind: 'refreshDelete' | 'refreshPresent', at: string | undefined, refreshDone = true): Said => ({
  ...{ kind, refreshDone, cookie: at === undefined ? undefined : cookie(at) },
});
const idSet = (refreshDeletes: boolean, ...uuids: string[]): Said => ({
  ...{ kind: 'syncIdSet', cookie: cookie('set'), refreshDeletes, uuids },
});
const END: Said = { end: 'unavailable' };

/** How pages are cut depends on what has come together; these do not. */
interface Followed {
  /** In order: UUIDs that were put, those that went with `-`, and where each refresh ended. */
  readonly told: readonly string[];
  readonly cookies: readonly string[];
  readonly present: readonly (readonly string[])[];
  /** How many entries each page had. */
  readonly sizes: readonly number[];
  readonly error: Failure | undefined;
}

/** Until the server ends it, or until a page has the cookie `enough`. */
async function follow(said: readonly Said[], from?: string, enough?: string): Promise<Followed> {
  const { server, url } = await scriptedLdap((socket, { messageId, operation }) => {
    if (operation.kind === 'search') socket.write(Buffer.concat(said.map((each) => octetsOf(messageId, each))));
  });
  const connection = await LdapConnection.open({ urls: [url] });
  const pages: SyncPage[] = [];
  try {
    const asked = { base: 'o=internet', filter: parseFilter('(objectClass=*)'), attributes: [] };
    for await (const page of followSync(connection, {
      ...asked,
      cookie: from === undefined ? undefined : cookie(from),
    }))
      if (pages.push(page) > 0 && page.cookie !== undefined && Buffer.from(page.cookie).toString() === enough) break;
    return { ...summaryOf(pages), error: undefined };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { ...summaryOf(pages), error };
  } finally {
    connection.close();
    server.close();
  }
}

function summaryOf(pages: readonly SyncPage[]): Omit<Followed, 'error'> {
  const names = new Map([A, B, C].map((of, i) => [of, 'ABC'[i]!]));
  const name = (of: string): string => names.get(of) ?? of;
  return {
    told: pages.flatMap(({ puts, removals, isRefreshed, stage }) => [
      ...puts.map((put) => `${stage} ${name(put.uuid)}`),
      ...removals.map((of) => `${stage} -${name(of)}`),
      ...(isRefreshed ? ['refreshed'] : []),
    ]),
    cookies: pages.flatMap((page) => (page.cookie === undefined ? [] : [Buffer.from(page.cookie).toString()])),
    present: pages.flatMap(({ present }) =>
      present === undefined ? [] : [[A, B, C].filter((uuid) => present.has(uuid)).map(name)],
    ),
    sizes: pages.map(({ puts, removals }) => puts.length + removals.length),
  };
}

function octetsOf(messageId: number, said: Said): Uint8Array {
  if ('end' in said) {
    const operation = { kind: 'searchDone', result: result(said.end) } as const;
    return encodeResponse({ messageId, operation, controls: [] });
  }
  if ('kind' in said) {
    const operation = { kind: 'intermediateResponse', name: SYNC_INFO, value: syncInfo.encode(said) } as const;
    return encodeResponse({ messageId, operation, controls: [] });
  }
  const operation = { kind: 'searchEntry', dn: `cn=${said.uuid},o=internet`, attributes: [] } as const;
  return encodeResponse({ messageId, operation, controls: [controlOf(syncState, said)] });
}

test('the cookie of a refresh counts at its end, and with it all that was put', async () => {
  const { told, cookies } = await follow([
    ...[named('add', A, 'early'), named('add', B), refreshed('refreshDelete', 'whole'), END],
  ]);
  assert.deepEqual(told, ['refresh A', 'refresh B', 'refreshed']);
  assert.deepEqual(cookies, ['whole']);
});

test('after the refresh the last change of a page gives its cookie, and a new cookie alone makes a page', async () => {
  const said: readonly Said[] = [
    ...[refreshed('refreshDelete', 'whole'), named('modify', A, 'one'), named('delete', B, 'two')],
    { kind: 'newCookie', cookie: cookie('three') },
  ];
  const { told, cookies } = await follow(said, 'before', 'three');
  assert.deepEqual(told, ['refreshed', 'persist A', 'persist -B']);
  assert.deepEqual([cookies[0], cookies.at(-1)], ['whole', 'three']);
});

test('from a cookie, what is named as gone goes at the end of its phase, and nothing else does', async () => {
  const { told, present } = await follow(
    [...[idSet(true, A), named('delete', B), named('modify', C), refreshed('refreshDelete', 'whole'), END]],
    'before',
  );
  assert.deepEqual(told.slice(-3), ['refresh -A', 'refresh -B', 'refreshed']);
  assert.ok(told.includes('refresh C'));
  assert.deepEqual(present, []);
});

test('a phase that names what is there says so at its end: entries put, unchanged ones, and sets of them', async () => {
  const { told, present } = await follow(
    [...[named('present', A), idSet(false, B), named('add', C), refreshed('refreshPresent', 'whole'), END]],
    'before',
  );
  assert.deepEqual(present, [['A', 'B', 'C']]);
  assert.deepEqual(told, ['refresh C', 'refreshed']);
});

test('from nothing, what has not come is not there, whatever the phase is called', async () => {
  const { present } = await follow([named('add', A), refreshed('refreshDelete', 'whole'), END]);
  assert.deepEqual(present, [['A']]);
});

test('a phase of what is there may be followed by one of what is gone', async () => {
  const { told, present, cookies } = await follow(
    [
      ...[named('present', A), refreshed('refreshPresent', undefined, false), idSet(true, B)],
      ...[refreshed('refreshDelete', 'whole'), END],
    ],
    'before',
  );
  assert.deepEqual(present, [['A']]);
  assert.deepEqual(told, ['refresh -B', 'refreshed']);
  assert.deepEqual(cookies, ['whole']);
});

test('five hundred entries are a page', async () => {
  const many = Array.from({ length: 1200 }, (_, i) => named('add', uuid(100 + i)));
  const { sizes, told } = await follow([...many, refreshed('refreshDelete', 'whole'), END]);
  assert.equal(Math.max(...sizes) <= 500, true, String(sizes));
  assert.equal(told.length, 1201);
});

test('who cannot write a page leaves at once, though the server has nothing more to say', async () => {
  const { told } = await follow([named('add', A), refreshed('refreshDelete', 'whole')], undefined, 'whole');
  assert.deepEqual(told, ['refresh A', 'refreshed']);
});

test('a server that cannot go on from a cookie is a conflict; without one, and for any other reason, it is unavailable', async () => {
  for (const end of ['unwillingToPerform', 'syncRefreshRequired'] as const) {
    assert.equal((await follow([{ end }], 'before')).error?.kind, 'conflict');
    assert.equal((await follow([{ end }])).error?.kind, 'unavailable');
  }
  assert.equal((await follow([{ end: 'busy' }], 'before')).error?.kind, 'unavailable');
});
