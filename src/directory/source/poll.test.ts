// A search read to its end beside servers that have pages, that have none, and that refuse. RFC 2696

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { scriptedLdap } from '../../../test/support/scripted-ldap.ts';
import { controlOf } from '../../wire/ldap/controls/codec.ts';
import { pagedResults } from '../../wire/ldap/controls/paged-results.ts';
import { encodeResponse } from '../../wire/ldap/message.ts';
import { result } from '../../wire/ldap/result.ts';
import type { resultCodes } from '../../wire/ldap/result-codes.ts';
import { LdapConnection } from './connection.ts';
import { EVERYTHING, readAll, withUuids } from './poll.ts';

interface Answer {
  readonly entries: readonly string[];
  readonly code?: keyof typeof resultCodes;
  /** Of the next page; undefined: the server has no pages. */
  readonly cookie?: string;
}

/** Names of the entries, and the cookies that were asked with; undefined: without the control. */
async function read(context: TestContext, pages: boolean, answers: readonly Answer[]) {
  const asked: (string | undefined)[] = [];
  const { server, url } = await scriptedLdap((socket, { messageId, operation, controls }) => {
    if (operation.kind !== 'search') return;
    const control = controls.find(({ type }) => type === pagedResults.type);
    const { entries, code = 'success', cookie } = answers[asked.length]!;
    asked.push(control && Buffer.from(pagedResults.decode(control.value).cookie).toString());
    for (const dn of entries)
      socket.write(encodeResponse({ messageId, operation: { kind: 'searchEntry', dn, attributes: [] }, controls: [] }));
    const done = { kind: 'searchDone', result: result(code, 'its words') } as const;
    const next = cookie === undefined ? [] : [controlOf(pagedResults, { size: 0, cookie: Buffer.from(cookie) })];
    socket.write(encodeResponse({ messageId, operation: done, controls: next }));
  });
  const connection = await LdapConnection.open({ urls: [url] });
  context.after(() => {
    connection.close();
    server.close();
  });
  const names: string[] = [];
  for await (const entry of readAll(connection, { baseObject: 'o=corp', filter: EVERYTHING }, pages))
    names.push(entry.dn);
  return { names, asked };
}

test('page after page, each with the cookie of the one before, until there is none', async (context) => {
  const answers = [
    { entries: ['cn=a', 'cn=b'], cookie: 'one' },
    { entries: [], cookie: 'two' },
    { entries: ['cn=c'], cookie: '' },
  ];
  assert.deepEqual(await read(context, true, answers), { names: ['cn=a', 'cn=b', 'cn=c'], asked: ['', 'one', 'two'] });
});

test('a server without pages is asked once, and without the control where it has none', async (context) => {
  const answers = [{ entries: ['cn=a'] }];
  assert.deepEqual(await read(context, true, answers), { names: ['cn=a'], asked: [''] });
  assert.deepEqual(await read(context, false, answers), { names: ['cn=a'], asked: [undefined] });
});

test('a refusal to us is denied, any other end is unavailable, and neither is an empty answer', async (context) => {
  const cases = {
    insufficientAccessRights: 'denied',
    strongerAuthRequired: 'denied',
    inappropriateAuthentication: 'denied',
    confidentialityRequired: 'denied',
    unwillingToPerform: 'denied',
    noSuchObject: 'unavailable',
    sizeLimitExceeded: 'unavailable',
    busy: 'unavailable',
  } as const;
  for (const [code, kind] of Object.entries(cases) as [keyof typeof cases, string][])
    await assert.rejects(read(context, true, [{ entries: ['cn=a'], code }]), {
      kind,
      message: `the search of o=corp ends with ${code}: its words`,
    });
});

test('fifty entries by UUID a search, each in one of them', () => {
  const uuids = (filters: ReturnType<typeof withUuids>) =>
    [...filters].map((filter) => (filter.kind === 'or' ? filter.filters.length : 0));
  const some = (count: number) => Array.from({ length: count }, (_, i) => `uuid-${i}`);
  assert.deepEqual(uuids(withUuids(some(0))), []);
  assert.deepEqual(uuids(withUuids(some(49))), [49]);
  assert.deepEqual(uuids(withUuids(some(50))), [50]);
  assert.deepEqual(uuids(withUuids(some(101))), [50, 50, 1]);
});
