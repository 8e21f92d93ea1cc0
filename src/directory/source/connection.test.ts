// The client's connection beside Debian's slapd, and beside servers that say what is none of LDAP.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import {
  CORP,
  CORP_ADMIN,
  CORP_PASSWORD,
  CORP_READER,
  CorpSlapd,
  corpPerson,
} from '../../../test/support/corp-slapd.ts';
import { peersMissing } from '../../../test/support/peers.ts';
import { scriptedLdap } from '../../../test/support/scripted-ldap.ts';
import { Failure } from '../../base/failure.ts';
import { parseFilter } from '../../wire/ldap/filter-text.ts';
import { encodeResponse, type LdapResponse } from '../../wire/ldap/message.ts';
import { result } from '../../wire/ldap/result.ts';
import { LdapConnection, type LdapServers, type SearchItem } from './connection.ts';

const skip = peersMissing('slapd', 'ldapmodify');
const everyone = parseFilter('(objectClass=inetOrgPerson)');
const people = { baseObject: `ou=people,${CORP}`, filter: everyone };

let corp: CorpSlapd;
let reader: LdapServers;

before(async () => {
  if (skip !== false) return;
  corp = await CorpSlapd.start({
    syncprov: true,
    ldif: Array.from({ length: 300 }, (_, i) => corpPerson(`u${i}`)).join(''),
  });
  reader = { urls: [corp.tlsUrl], ca: corp.ca, login: CORP_READER, password: CORP_PASSWORD };
});
after(() => corp?.stop());

async function refused(opening: Promise<unknown>, kind: string, text: RegExp): Promise<void> {
  await assert.rejects(opening, (error) => {
    assert.ok(error instanceof Failure, String(error));
    assert.equal(error.kind, kind, error.message);
    assert.match(error.message, text);
    return true;
  });
}

async function all(items: AsyncIterable<SearchItem>): Promise<SearchItem[]> {
  const found: SearchItem[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test('ldaps with a private authority: a search, a change, a bind; who is not believed is not spoken to', {
  skip,
}, async () => {
  const connection = await LdapConnection.open(reader);
  const search = connection.search(people);
  assert.equal((await all(search)).length, 300);
  assert.equal(search.outcome.result.resultCode, 0);
  const missing = connection.search({ baseObject: `ou=none,${CORP}`, filter: everyone });
  assert.equal((await all(missing)).length, 0);
  assert.equal(missing.outcome.result.resultCode, 32);
  assert.equal(missing.outcome.result.matchedDn, CORP);
  assert.equal((await connection.request({ kind: 'delete', dn: CORP })).result.resultCode, 50);
  const { result: wrong } = await connection.bind(CORP_READER, 'guessed');
  assert.equal(wrong.resultCode, 49);
  connection.close();
  await refused(connection.bind(CORP_READER, CORP_PASSWORD), 'unavailable', /closed/);
  await refused(LdapConnection.open({ ...reader, ca: undefined }), 'unavailable', /TLS fails: .*certificate/);
});

test('StartTLS; a refused bind; the next URL where the first does not answer; clear text stays here', {
  skip,
}, async () => {
  const connection = await LdapConnection.open({ ...reader, urls: ['ldap://127.0.0.1:1', corp.url], startTls: true });
  assert.equal(connection.url, corp.url);
  assert.equal((await all(connection.search(people))).length, 300);
  connection.close();
  await refused(LdapConnection.open({ ...reader, password: 'wrong' }), 'unauthenticated', /49 invalidCredentials/);
  await refused(LdapConnection.open({ urls: ['ldap://127.0.0.1:1'] }), 'unavailable', /ECONNREFUSED/);
  await refused(LdapConnection.open({ urls: ['ldap://192.0.2.1'] }), 'not-private', /clear text/);
  await refused(LdapConnection.open({ urls: ['ldaps://nowhere.example'] }), 'unavailable', /not found/);
  await refused(LdapConnection.open({ urls: ['http://127.0.0.1'] }), 'invalid', /is not an ldap:/);
});

test('a server that hangs is silent after the time, and what it was asked fails', { skip }, async () => {
  const hasty = await LdapConnection.open({ ...reader, silenceMs: 5000 });
  await corp.hang();
  try {
    await refused(all(hasty.search(people)), 'unavailable', /silent for 5 seconds/);
    assert.equal(hasty.isOpen, false);
    await refused(LdapConnection.open({ ...reader, silenceMs: 2000 }), 'unavailable', /no TLS in time/);
    await refused(LdapConnection.open({ ...reader, urls: [corp.url], silenceMs: 2000 }), 'unavailable', /silent/);
  } finally {
    corp.goOn();
  }
});

test('a value of more than 10 MB is refused by its length', { skip }, async () => {
  const administrator = { ...reader, login: CORP_ADMIN };
  const connection = await LdapConnection.open(administrator);
  const description = 'x'.repeat(11 * 1024 * 1024);
  const added = await connection.request({
    kind: 'add',
    dn: `cn=large,${CORP}`,
    attributes: [
      { name: 'objectClass', values: ['organizationalRole'] },
      { name: 'cn', values: ['large'] },
      { name: 'description', values: [description] },
    ],
  });
  assert.equal(added.result.resultCode, 0, added.result.diagnosticMessage);
  const large = { baseObject: `cn=large,${CORP}`, filter: parseFilter('(objectClass=*)') };
  await refused(all(connection.search(large)), 'unavailable', /at most 10485760 octets/);
  // The server that is followed may send more.
  const again = await LdapConnection.open({ ...administrator, messageBytes: 2 * description.length });
  assert.equal((await all(again.search(large))).length, 1);
  assert.equal((await again.request({ kind: 'delete', dn: `cn=large,${CORP}` })).result.resultCode, 0);
  again.close();
});

test('many searches at once each get their own; one that is left is abandoned', { skip }, async () => {
  const connection = await LdapConnection.open(reader);
  const asked = Array.from({ length: 64 }, async (_, i) => {
    const items = await all(connection.search({ ...people, filter: parseFilter(`(uid=u${i})`) }));
    return items.map((item) => item.kind === 'entry' && item.entry.dn);
  });
  for await (const item of connection.search(people)) {
    assert.equal(item.kind, 'entry');
    break;
  }
  assert.deepEqual(
    await Promise.all(asked),
    Array.from({ length: 64 }, (_, i) => [`uid=u${i},ou=people,${CORP}`]),
  );
  assert.equal((await all(connection.search(people))).length, 300);
  connection.close();
});

test('a synchronization gives all, then each change, and is not blamed for its silence', { skip }, async () => {
  const connection = await LdapConnection.open({ ...reader, silenceMs: 5000 });
  const sync = { mode: 'refreshAndPersist', cookie: undefined, reloadHint: false } as const;
  const running = connection.search(people, { sync })[Symbol.asyncIterator]();
  const next = async (): Promise<SearchItem> => (await running.next()).value as SearchItem;
  for (let i = 0; i < 300; i++) {
    const item = await next();
    assert.ok(item.kind === 'entry' && item.sync?.state === 'add', item.kind);
  }
  const refreshed = await next();
  assert.ok(refreshed.kind === 'info' && refreshed.info.kind !== 'newCookie' && refreshed.info.cookie !== undefined);
  await new Promise((resolve) => setTimeout(resolve, 6000));
  corp.change(corpPerson('late'));
  const added = await next();
  assert.ok(added.kind === 'entry' && added.sync?.state === 'add' && added.sync.cookie !== undefined);
  assert.equal(added.entry.dn, `uid=late,ou=people,${CORP}`);
  corp.change(`dn: ${added.entry.dn}\nchangetype: delete\n`);
  const deleted = await next();
  assert.ok(deleted.kind === 'entry' && deleted.sync?.state === 'delete');
  assert.equal(deleted.sync.uuid, added.sync.uuid);
  await running.return?.();
  connection.close();
});

const entry = (description: string): LdapResponse => ({
  kind: 'searchEntry',
  dn: CORP,
  attributes: [{ name: 'description', values: [description] }],
});

test('answers that do not fit end the connection as unavailable; a notice says why', async () => {
  const done = (messageId: number): Buffer =>
    encodeResponse({ messageId, operation: { kind: 'searchDone', result: result('success') }, controls: [] });
  const cases: readonly [RegExp, (messageId: number) => Uint8Array][] = [
    [/no LDAP answer: expected an LDAP message/, () => Buffer.from('HTTP/1.0 400 Bad Request\r\n')],
    [/never used: 77/, () => done(77)],
    [
      /another question than a search: addResponse/,
      (messageId) =>
        encodeResponse({ messageId, operation: { kind: 'addResponse', result: result('success') }, controls: [] }),
    ],
    [
      /nobody has asked for: 1.2.3/,
      (messageId) =>
        encodeResponse({
          messageId,
          operation: { kind: 'intermediateResponse', name: '1.2.3', value: undefined },
          controls: [],
        }),
    ],
    [
      /no LDAP answer/,
      (messageId) =>
        encodeResponse({
          messageId,
          operation: entry('x'),
          controls: [{ type: '1.3.6.1.4.1.4203.1.9.1.2', critical: false, value: Buffer.from('no') }],
        }),
    ],
    [
      /ends the connection: 52 unavailable, going down/,
      () =>
        encodeResponse({
          messageId: 0,
          operation: {
            kind: 'extendedResponse',
            result: result('unavailable', 'going down'),
            name: undefined,
            value: undefined,
          },
          controls: [],
        }),
    ],
  ];
  for (const [text, octets] of cases) {
    const { server, url } = await scriptedLdap((socket, { messageId }) => socket.write(octets(messageId)));
    const connection = await LdapConnection.open({ urls: [url] });
    await refused(all(connection.search(people)), 'unavailable', text);
    server.close();
  }
});

test('who reads slowly rests the socket, and loses nothing', async () => {
  const total = 200;
  const { server, url } = await scriptedLdap((socket, { messageId, operation }) => {
    if (operation.kind !== 'search') return;
    for (let i = 0; i < total; i++)
      socket.write(encodeResponse({ messageId, operation: entry(`${i} ${'x'.repeat(100_000)}`), controls: [] }));
    socket.write(
      encodeResponse({ messageId, operation: { kind: 'searchDone', result: result('success') }, controls: [] }),
    );
  });
  const connection = await LdapConnection.open({ urls: [url], silenceMs: 5000 });
  let seen = 0;
  for await (const item of connection.search(people)) {
    if (seen === 0) await new Promise((resolve) => setTimeout(resolve, 6000));
    assert.ok(item.kind === 'entry' && String(item.entry.attributes[0]!.values[0]).startsWith(`${seen} `));
    seen++;
  }
  assert.equal(seen, total);
  connection.close();
  server.close();
});

test('octets of any kind from a server: an outcome or `unavailable`, and never more', async () => {
  let octets: Uint8Array = Buffer.alloc(0);
  const { server, url } = await scriptedLdap((socket) => socket.end(octets));
  const some = (messageId: number): Buffer =>
    Buffer.concat(
      [entry('x'), { kind: 'searchDone', result: result('success') } as const].map((operation) =>
        encodeResponse({ messageId, operation, controls: [] }),
      ),
    );
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.nat(255), fc.uint8Array({ maxLength: 20 }), async (at, octet, more) => {
      const mutated = Buffer.concat([some(1), more]);
      mutated[at % mutated.length] = octet;
      octets = mutated;
      const connection = await LdapConnection.open({ urls: [url] });
      try {
        await all(connection.search(people));
      } catch (error) {
        assert.ok(error instanceof Failure && error.kind === 'unavailable', String(error));
      } finally {
        connection.close();
      }
    }),
    { numRuns: Number(process.env['FUZZ_CASES'] ?? 200) },
  );
  server.close();
});

test('a request may be given longer than the others of its connection', async () => {
  const { server, url } = await scriptedLdap((socket, { messageId, operation }) => {
    if (operation.kind !== 'delete') return;
    const deleted: LdapResponse = { kind: 'deleteResponse', result: result('success') };
    setTimeout(() => socket.write(encodeResponse({ messageId, operation: deleted, controls: [] })), 6000);
  });
  const open = () => LdapConnection.open({ urls: [url], silenceMs: 3000 });
  await refused((await open()).request({ kind: 'delete', dn: CORP }), 'unavailable', /silent for 3 seconds/);
  const connection = await open();
  const outcome = await connection.request({ kind: 'delete', dn: CORP }, { silenceMs: 60_000 });
  assert.equal(outcome.result.resultCode, 0);
  connection.close();
  server.close();
});
