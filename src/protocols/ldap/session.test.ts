// The session over a real socket: who may ask, what ends a connection, what stops, what waits.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../base/failure.ts';
import { LDAP_ANONYMOUS_MESSAGE_BYTES, LDAP_MESSAGE_BYTES } from '../../base/limits.ts';
import { add, addDomain, addUser, domainDn, userDn } from '../../provisioning/testing.ts';
import { parseFilter } from '../../wire/ldap/filter-text.ts';
import { encodeRequest, type LdapRequest } from '../../wire/ldap/message.ts';
import { NOTICE_OF_DISCONNECTION } from '../../wire/ldap/operations/extended.ts';
import type { SearchRequest } from '../../wire/ldap/operations/search.ts';
import { ADMINISTRATOR, openTestDoor, PASSWORD, RawClient, type TestDoor } from './testing.ts';

function searchFor(baseObject: string, options: Partial<SearchRequest> & { text?: string } = {}): SearchRequest {
  const { text = '(objectClass=*)', ...rest } = options;
  return {
    kind: 'search',
    baseObject,
    scope: 'base',
    derefAliases: 'never',
    sizeLimit: 0,
    timeLimit: 0,
    typesOnly: false,
    filter: parseFilter(text),
    attributes: [],
    ...rest,
  };
}

const simpleBind = (name: string, password: string): LdapRequest => ({
  kind: 'bind',
  version: 3,
  name,
  authentication: { method: 'simple', password },
});

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** The notice that ends a connection, and its end. */
async function disconnected(client: RawClient): Promise<string> {
  const notice = await client.response();
  assert.equal(notice?.messageId, 0);
  const { operation } = notice!;
  assert.equal(operation.kind, 'extendedResponse');
  assert.ok(operation.kind === 'extendedResponse');
  assert.equal(operation.name, NOTICE_OF_DISCONNECTION);
  assert.equal(await client.response(), undefined);
  return `${operation.result.resultCode} ${operation.result.diagnosticMessage}`;
}

describe('one door', () => {
  let door: TestDoor;
  before(async () => {
    door = await openTestDoor();
    await door.directory.apply(
      addDomain('acme.example'),
      // {SHA} of `geheim`, so that a user can bind without a hash of 40 ms.
      addUser('ann@acme.example', { userPassword: '{SHA}kGByAB793z4R5tK1eC9Hd/4Dhzk=' }),
      addUser('bob@acme.example'),
    );
  });
  after(() => door.close());

  const withClient =
    (body: (client: RawClient) => Promise<void>): (() => Promise<void>) =>
    async () => {
      const client = await RawClient.open(door.port);
      try {
        await body(client);
      } finally {
        client.close();
      }
    };

  const code = async (client: RawClient, request: LdapRequest): Promise<number | undefined> => {
    client.request(request);
    return (await client.result())?.code;
  };

  const ann = userDn('ann@acme.example');

  test(
    'a bind succeeds with the right password, and with neither name nor password',
    withClient(async (client) => {
      assert.equal(await client.bind(), 0);
      assert.equal(await client.bind('CN = directory manager'), 0);
      assert.equal(await client.bind('', ''), 0);
      assert.equal(await client.bind(ann, 'geheim'), 0);
    }),
  );

  test(
    'a name without a password is never authenticated, known or not',
    withClient(async (client) => {
      assert.equal(await client.bind(ADMINISTRATOR, ''), 53);
      assert.equal(await client.bind('cn=nobody', ''), 53);
    }),
  );

  test(
    'a wrong password and an unknown name look the same',
    withClient(async (client) => {
      const results = [];
      for (const [name, password] of [
        [ADMINISTRATOR, 'x'],
        ['uid=x,o=internet', PASSWORD],
        ['', PASSWORD],
      ] as const) {
        client.request(simpleBind(name, password));
        const { code, text } = (await client.result())!;
        results.push([code, text]);
      }
      assert.deepEqual(new Set(results.map(String)).size, 1);
      assert.equal(results[0]![0], 49);
      assert.equal(await client.bind('no DN at all', 'x'), 34);
    }),
  );

  test(
    'a bind that fails takes the identity from before away',
    withClient(async (client) => {
      await client.bind();
      assert.equal(await code(client, searchFor('o=internet')), 0);
      assert.equal(await client.bind(ADMINISTRATOR, 'wrong'), 49);
      assert.equal(await code(client, searchFor('o=internet')), 50);
    }),
  );

  test(
    'other ways to authenticate and other versions are refused by name',
    withClient(async (client) => {
      const sasl = { method: 'sasl', mechanism: 'PLAIN', credentials: undefined } as const;
      assert.equal(await code(client, { kind: 'bind', version: 3, name: '', authentication: sasl }), 7);
      client.send(hex('300c 020109 6007 020103 0400 8900'));
      assert.equal((await client.result())!.code, 7);
      const simple = { method: 'simple', password: PASSWORD } as const;
      assert.equal(await code(client, { kind: 'bind', version: 2, name: ADMINISTRATOR, authentication: simple }), 2);
    }),
  );

  test(
    'a stranger may read the root DSE and the subschema, and nothing else',
    withClient(async (client) => {
      assert.equal(await code(client, searchFor('')), 0);
      assert.equal(await code(client, searchFor('cn=Subschema', { text: '(objectClass=subschema)' })), 0);
      assert.equal(await code(client, { kind: 'compare', dn: '', attribute: 'supportedLDAPVersion', value: '3' }), 6);
      const forbidden: readonly LdapRequest[] = [
        searchFor('', { scope: 'sub' }),
        searchFor('o=internet'),
        searchFor('dc=nothing,o=internet'),
        { kind: 'compare', dn: 'o=internet', attribute: 'o', value: 'internet' },
        { kind: 'add', dn: 'dc=x,o=internet', attributes: [{ name: 'objectClass', values: ['domain'] }] },
        {
          kind: 'modify',
          dn: ann,
          modifications: [{ operation: 'replace', attribute: 'userPassword', values: ['x'] }],
        },
        { kind: 'modifyDn', dn: ann, newRdn: 'uid=x', deleteOldRdn: true, newSuperior: undefined },
        { kind: 'delete', dn: ann },
      ];
      for (const request of forbidden) assert.equal(await code(client, request), 50, request.kind);
    }),
  );

  test(
    'a user reads the own entry without its password, and nothing else',
    withClient(async (client) => {
      await client.bind(ann, 'geheim');
      client.request(searchFor(ann, { scope: 'sub' }));
      const response = (await client.response())!.operation;
      assert.ok(response.kind === 'searchEntry');
      assert.equal(response.dn, ann);
      assert.ok(!response.attributes.some(({ name }) => name === 'userPassword'));
      assert.equal((await client.result())!.code, 0);
      assert.equal(await code(client, { kind: 'compare', dn: ann, attribute: 'mail', value: 'ANN@acme.example' }), 6);
      assert.equal(await code(client, { kind: 'compare', dn: ann, attribute: 'userPassword', value: 'x' }), 16);
      assert.equal(await code(client, searchFor(userDn('bob@acme.example'))), 50);
      assert.equal(await code(client, searchFor(domainDn('acme.example'), { scope: 'sub' })), 50);
    }),
  );

  test(
    'a user replaces the own password, and changes nothing else',
    withClient(async (client) => {
      await client.bind(ann, 'geheim');
      const change = (operation: 'add' | 'delete' | 'replace', attribute: string, dn = ann): LdapRequest => ({
        kind: 'modify',
        dn,
        modifications: [{ operation, attribute, values: ['new secret'] }],
      });
      assert.equal(await code(client, change('replace', 'mail')), 50);
      assert.equal(await code(client, change('add', 'userPassword')), 50);
      assert.equal(await code(client, change('replace', 'userPassword', userDn('bob@acme.example'))), 50);
      assert.equal(await code(client, { kind: 'delete', dn: ann }), 50);
      assert.equal(await code(client, change('replace', 'userPassword')), 0);
      assert.equal(await client.bind(ann, 'geheim'), 49);
      assert.equal(await client.bind(ann, 'new secret'), 0);
    }),
  );

  test(
    'extended operations are refused as the standard says, StartTLS too',
    withClient(async (client) => {
      for (const name of ['1.3.6.1.4.1.1466.20037', '1.3.6.1.4.1.4203.1.11.1', '1.2.3'])
        assert.equal(await code(client, { kind: 'extended', name, value: undefined }), 2);
      assert.equal(await code(client, searchFor('')), 0);
    }),
  );

  test(
    'a critical control that is not supported stops the operation, another is ignored',
    withClient(async (client) => {
      const paged = { type: '1.2.840.113556.1.4.319', value: hex('3005 020164 0400') };
      client.request(searchFor(''), [{ ...paged, critical: true }]);
      const refused = (await client.result())!;
      assert.deepEqual([refused.code, refused.entries], [12, []]);
      client.request(searchFor(''), [{ ...paged, critical: false }]);
      assert.deepEqual((await client.result())!.entries, ['']);
      client.request(searchFor(''), [{ type: '2.16.840.1.113730.3.4.2', critical: true, value: undefined }]);
      assert.equal((await client.result())!.code, 0);
      client.request(simpleBind('', ''), [{ type: '2.16.840.1.113730.3.4.2', critical: true, value: undefined }]);
      assert.equal((await client.result())!.code, 12);
    }),
  );

  test('what is no LDAP gets a notice and the end, and others are served meanwhile', async () => {
    const hostile: readonly (readonly [string, Buffer])[] = [
      ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
      ['indefinite length', hex('3080 020101 4200 0000')],
      ['length of 2 GiB', hex('3084 7fffffff')],
      ['length of five octets', hex('3085 0000000005 020101 4200')],
      ['over the limit for strangers', hex('3083 010001')],
      ['message ID without octets', hex('3004 0200 4200')],
      ['negative message ID', hex('3005 0201ff 4200')],
      ['message ID of 2^31', hex('3009 02050080000000 4200')],
      ['message ID 0', hex('3005 020100 4200')],
      ['unknown operation', hex('3005 020101 7f00')],
      ['a response', hex('300c 020101 6107 0a0100 0400 0400')],
      ['operation longer than the message', hex('3005 020101 4a05')],
      ['NUL octets', Buffer.alloc(100)],
    ];
    const other = await RawClient.open(door.port);
    for (const [what, bytes] of hostile) {
      const client = await RawClient.open(door.port);
      client.send(bytes);
      assert.match(await disconnected(client), /^2 expected /, what);
      assert.equal(await code(other, searchFor('')), 0);
    }
    other.close();
  });

  test(
    'a message as large as the limit passes once the sender is known',
    withClient(async (client) => {
      const padded = (bytes: number): LdapRequest => ({ kind: 'extended', name: '1.2.3', value: Buffer.alloc(bytes) });
      const room = (limit: number): number => limit - 40;
      assert.equal(await code(client, padded(room(LDAP_ANONYMOUS_MESSAGE_BYTES))), 2);
      await client.bind();
      assert.equal(await code(client, padded(room(LDAP_MESSAGE_BYTES))), 2);
      client.request(padded(LDAP_MESSAGE_BYTES));
      assert.match(await disconnected(client), /^2 /);
    }),
  );

  test(
    'filters nested twenty thousand deep get an answer, and the connection goes on',
    withClient(async (client) => {
      await client.bind();
      let filter = hex('870161');
      const headers: Buffer[] = [];
      let length = filter.length;
      for (let i = 0; i < 20_000; i++) {
        const header = Buffer.alloc(5);
        header.set([0xa2, 0x83]);
        header.writeUIntBE(length, 2, 3);
        headers.push(header);
        length += 5;
      }
      filter = Buffer.concat([...headers.reverse(), filter]);
      const template = encodeRequest({
        messageId: 7,
        operation: searchFor('o=internet', { text: '(a=*)' }),
        controls: [],
      });
      const at = template.indexOf(hex('870161'));
      const body = Buffer.concat([template.subarray(0, at), filter, template.subarray(at + 3)]);
      // The lengths around the filter are one octet each in the template.
      const grown = Buffer.concat([
        hex('3083'),
        Buffer.alloc(3),
        body.subarray(2, 5),
        hex('6383'),
        Buffer.alloc(3),
        body.subarray(7),
      ]);
      grown.writeUIntBE(grown.length - 5, 2, 3);
      grown.writeUIntBE(grown.length - 13, 10, 3);
      client.send(grown);
      const { messageId, code: refusal, text } = (await client.result())!;
      assert.deepEqual([messageId, refusal], [7, 2]);
      assert.match(text, /nested at most/);
      assert.equal(await code(client, searchFor('o=internet')), 0);
    }),
  );

  test(
    'twenty requests that make no sense end the connection',
    withClient(async (client) => {
      for (let i = 0; i < 20; i++) {
        client.send(hex('300d 020105 6308 0400 0a0109 0a0100'));
        const { messageId, code: refusal } = (await client.result())!;
        assert.deepEqual([messageId, refusal], [5, 2]);
      }
      assert.match(await disconnected(client), /^2 Too many errors/);
    }),
  );

  test(
    'a conversation is the same octet by octet, and all at once',
    withClient(async (client) => {
      const messages: readonly LdapRequest[] = [
        simpleBind(ADMINISTRATOR, PASSWORD),
        searchFor('o=internet', { attributes: ['o'] }),
        { kind: 'compare', dn: 'o=internet', attribute: 'o', value: 'internet' },
        simpleBind('', ''),
        searchFor('o=internet'),
      ];
      const bytes = Buffer.concat(
        messages.map((operation, i) => encodeRequest({ messageId: i + 1, operation, controls: [] })),
      );
      const outcome = async (): Promise<unknown[]> => {
        const results = [];
        for (let i = 0; i < messages.length; i++) {
          const { messageId, code: result } = (await client.result())!;
          results.push([messageId, result]);
        }
        return results;
      };
      const expected = [
        [1, 0],
        [2, 0],
        [3, 6],
        [4, 0],
        [5, 50],
      ];
      client.send(bytes);
      assert.deepEqual(await outcome(), expected);
      for (const octet of bytes) {
        client.send(Buffer.of(octet));
        await new Promise(setImmediate);
      }
      assert.deepEqual(await outcome(), expected);
    }),
  );

  test(
    'requests sent without waiting are carried out in their order',
    withClient(async (client) => {
      await client.bind();
      const dn = 'dc=order,dc=acme,dc=example,o=internet';
      client.request({
        kind: 'add',
        dn,
        attributes: [
          { name: 'objectClass', values: ['domain'] },
          { name: 'dc', values: ['order'] },
        ],
      });
      client.request(searchFor(dn));
      client.request({
        kind: 'modify',
        dn,
        modifications: [{ operation: 'add', attribute: 'description', values: ['x'] }],
      });
      client.request({ kind: 'compare', dn, attribute: 'description', value: 'X' });
      client.request({ kind: 'delete', dn });
      client.request(searchFor(dn));
      const codes = [];
      for (let i = 0; i < 6; i++) codes.push((await client.result())!.code);
      assert.deepEqual(codes, [0, 0, 0, 6, 0, 32]);
    }),
  );

  test(
    'unbind ends the connection without a word',
    withClient(async (client) => {
      client.request(searchFor(''));
      await client.result();
      client.request({ kind: 'unbind' });
      assert.equal(await client.response(), undefined);
    }),
  );

  test(
    'a stopping server says so',
    withClient(async (client) => {
      client.request(searchFor(''));
      await client.result();
      door.sessions.at(-1)!.close();
      assert.match(await disconnected(client), /^52 /);
    }),
  );
});

test('success leaves after the commit, never before, and its failure is told', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  let calls = 0;
  const door = await openTestDoor({
    door: {
      change: async () => {
        if (++calls === 1) return promise;
        throw new Failure('full', 'The disk is full');
      },
    },
  });
  const client = await RawClient.open(door.port);
  await client.bind();
  client.request({ kind: 'delete', dn: 'dc=x,o=internet' });
  let answered = false;
  const answer = client.result().finally(() => {
    answered = true;
  });
  const other = await RawClient.open(door.port);
  other.request(searchFor(''));
  assert.equal((await other.result())!.code, 0);
  assert.equal(answered, false);
  resolve();
  assert.equal((await answer)!.code, 0);
  client.request({ kind: 'delete', dn: 'dc=x,o=internet' });
  const full = (await client.result())!;
  assert.deepEqual([full.code, full.text], [52, 'The disk is full']);
  client.close();
  other.close();
  await door.close();
});

test('a bind waits for what came before it, and what follows it is not read until it is done', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const authors: string[] = [];
  const door = await openTestDoor({
    door: {
      change: async (_, author) => {
        authors.push(author);
        await promise;
      },
    },
  });
  const client = await RawClient.open(door.port);
  await client.bind();
  client.request({ kind: 'delete', dn: 'dc=x,o=internet' });
  client.request(simpleBind('', ''));
  client.request({ kind: 'delete', dn: 'dc=x,o=internet' });
  resolve();
  const codes = [];
  for (let i = 0; i < 3; i++) codes.push((await client.result())!.code);
  assert.deepEqual(codes, [0, 0, 50]);
  assert.deepEqual(authors, [ADMINISTRATOR]);
  client.close();
  await door.close();
});

test('a bug is an internal failure without its words, and the connection goes on', async () => {
  const door = await openTestDoor({
    door: {
      change: async () => {
        throw new TypeError('secret path /etc/shadow');
      },
    },
  });
  const client = await RawClient.open(door.port);
  await client.bind();
  client.request({ kind: 'delete', dn: 'dc=x,o=internet' });
  const { code, text } = (await client.result())!;
  assert.equal(code, 52);
  assert.doesNotMatch(text, /shadow/);
  client.request(searchFor('o=internet'));
  assert.equal((await client.result())!.code, 0);
  client.close();
  await door.close();
});

describe('many entries', () => {
  const COUNT = 1500;
  let door: TestDoor;
  before(async () => {
    door = await openTestDoor();
    const people = Array.from({ length: COUNT }, (_, i) =>
      add(`cn=p${i},ou=many,o=internet`, {
        objectClass: 'person',
        cn: `p${i}`,
        sn: 'x',
        description: 'y'.repeat(20_000),
      }),
    );
    await door.directory.apply(add('ou=many,o=internet', { objectClass: 'organizationalUnit', ou: 'many' }));
    for (let at = 0; at < COUNT; at += 100) await door.directory.apply(...people.slice(at, at + 100));
  });
  after(() => door.close());

  const everything = searchFor('ou=many,o=internet', { scope: 'sub' });

  test('a client that does not read holds little memory, others are served, and it gets all in the end', async () => {
    const client = await RawClient.open(door.port);
    await client.bind();
    client.socket.pause();
    client.request(everything);
    const other = await RawClient.open(door.port);
    for (let i = 0; i < 50; i++) {
      other.request(searchFor(''));
      assert.equal((await other.result())!.code, 0);
    }
    other.close();
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 100; i++) await new Promise(setImmediate);
    // All of it together is 30 MB.
    assert.ok(process.memoryUsage().arrayBuffers - before < 4 * 1024 * 1024);
    client.socket.resume();
    const { code, entries } = (await client.result())!;
    assert.equal(code, 0);
    assert.equal(new Set(entries).size, COUNT + 1);
    client.close();
  });

  test('an abandoned search stops and has no result, whether it runs or waits', async () => {
    const client = await RawClient.open(door.port);
    await client.bind();
    client.socket.pause();
    const running = client.request(everything);
    const waiting = client.request(everything);
    client.request({ kind: 'abandon', abandoned: running });
    client.request({ kind: 'abandon', abandoned: waiting });
    client.request({ kind: 'abandon', abandoned: 4711 });
    const last = client.request(searchFor('o=internet'));
    client.socket.resume();
    const { messageId, entries } = (await client.result())!;
    assert.equal(messageId, last);
    assert.ok(entries.length < COUNT);
    client.close();
  });

  test('a client that goes away in the middle of a search leaves nothing behind', async () => {
    const client = await RawClient.open(door.port);
    await client.bind();
    client.request(everything);
    await client.response();
    client.socket.resetAndDestroy();
    await once(client.socket, 'close');
    const other = await RawClient.open(door.port);
    await other.bind();
    other.request(searchFor('o=internet'));
    assert.equal((await other.result())!.code, 0);
    other.close();
  });

  test('the size limit of the client is kept to the entry', async () => {
    const client = await RawClient.open(door.port);
    await client.bind();
    const cases = [
      [1, 1, 4],
      [64, 64, 4],
      [65, 65, 4],
      [COUNT, COUNT, 4],
      [COUNT + 1, COUNT + 1, 0],
      [COUNT + 2, COUNT + 1, 0],
    ] as const;
    for (const [sizeLimit, found, expected] of cases) {
      client.request({ ...everything, sizeLimit, attributes: ['1.1'] });
      const { code, entries } = (await client.result())!;
      assert.deepEqual([entries.length, code], [found, expected]);
    }
    client.request({ ...everything, scope: 'one', sizeLimit: COUNT, attributes: ['1.1'] });
    assert.equal((await client.result())!.code, 0);
    client.close();
  });

  test('more requests than may wait are read as others end', async () => {
    const client = await RawClient.open(door.port);
    await client.bind();
    const ids = Array.from({ length: 500 }, () =>
      client.request(searchFor('ou=many,o=internet', { attributes: ['ou'] })),
    );
    const answered = [];
    for (const _ of ids) answered.push((await client.result())!.messageId);
    assert.deepEqual(answered, ids);
    client.close();
  });
});

test('mutated messages, from a stranger and from the administrator, get an answer or the end, and nobody else notices', async () => {
  const door = await openTestDoor({ door: { change: async () => {} }, limits: { badCommandsMax: 3 } });
  const other = await RawClient.open(door.port);
  const requests: readonly LdapRequest[] = [
    simpleBind('', ''),
    searchFor('o=internet', { scope: 'sub', text: '(&(cn=a*b)(!(sn>=x))(ou:dn:=y))', attributes: ['*', '+'] }),
    { kind: 'compare', dn: 'o=internet', attribute: 'o', value: 'internet' },
    { kind: 'add', dn: 'dc=x,o=internet', attributes: [{ name: 'dc', values: ['x', Uint8Array.of(0xff)] }] },
    { kind: 'modify', dn: 'dc=x,o=internet', modifications: [{ operation: 'replace', attribute: 'dc', values: [] }] },
    { kind: 'modifyDn', dn: 'dc=x,o=internet', newRdn: 'dc=y', deleteOldRdn: true, newSuperior: 'o=internet' },
    { kind: 'delete', dn: 'dc=x,o=internet' },
    { kind: 'extended', name: '1.2.3', value: Uint8Array.of(1) },
    { kind: 'abandon', abandoned: 1 },
  ];
  const seed = Buffer.concat(requests.map((operation) => encodeRequest({ messageId: 7, operation, controls: [] })));
  const mutation = fc.record({ at: fc.nat({ max: seed.length - 1 }), octet: fc.nat({ max: 255 }) });
  await fc.assert(
    fc.asyncProperty(fc.boolean(), fc.array(mutation, { minLength: 1, maxLength: 5 }), async (isBound, mutations) => {
      const client = await RawClient.open(door.port);
      if (isBound) await client.bind();
      const bytes = Buffer.from(seed);
      for (const { at, octet } of mutations) bytes[at] = octet;
      client.send(bytes);
      client.request({ kind: 'unbind' });
      client.socket.end();
      while ((await client.response()) !== undefined);
      other.request(searchFor(''));
      assert.equal((await other.result())!.code, 0);
    }),
    { numRuns: 300 },
  );
  other.close();
  await door.close();
});

test('the time limit of the client ends a search that takes several turns', async () => {
  let now = 0;
  const clock = { now: () => 0, monotonic: () => (now += 100) };
  const door = await openTestDoor({ door: { clock } });
  const people = Array.from({ length: 500 }, (_, i) =>
    add(`cn=p${i},o=internet`, { objectClass: 'person', cn: `p${i}`, sn: 'x' }),
  );
  await door.directory.apply(...people);
  const client = await RawClient.open(door.port);
  await client.bind();
  client.request(searchFor('o=internet', { scope: 'sub', timeLimit: 1 }));
  const { code, entries } = (await client.result())!;
  assert.equal(code, 3);
  assert.ok(entries.length > 0 && entries.length < 500);
  client.close();
  await door.close();
});

test('silence ends a connection: before the first message, in the middle of one, and after the last', async () => {
  const door = await openTestDoor({ limits: { loginTimeoutMs: 100, commandTimeoutMs: 150, idleTimeoutMs: 200 } });
  const silent = await RawClient.open(door.port);
  assert.equal(await silent.response(), undefined);
  const half = await RawClient.open(door.port);
  half.request(searchFor(''));
  await half.result();
  half.send(hex('3005'));
  // More octets do not lengthen the time that a message has.
  const drip = setInterval(() => half.send(hex('02')), 1000);
  assert.match(await disconnected(half), /^2 The message did not end in time/);
  clearInterval(drip);
  const idle = await RawClient.open(door.port);
  await idle.bind();
  assert.equal(await idle.response(), undefined);
  await door.close();
});

test('a client that never reads its answer is cut off', async () => {
  const door = await openTestDoor({ limits: { commandTimeoutMs: 200 } });
  const people = Array.from({ length: 200 }, (_, i) =>
    add(`cn=p${i},o=internet`, { objectClass: 'person', cn: `p${i}`, sn: 'x', description: 'y'.repeat(100_000) }),
  );
  for (let at = 0; at < people.length; at += 20) await door.directory.apply(...people.slice(at, at + 20));
  const client = await RawClient.open(door.port);
  await client.bind();
  client.socket.pause();
  client.request(searchFor('o=internet', { scope: 'sub' }));
  while (door.connections() > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  client.close();
  await door.close();
});
