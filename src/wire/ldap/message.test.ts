import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as ldapts from 'ldapts';
import { SyntaxFailure } from '../../base/cursor.ts';
import { LDAP_MESSAGE_BYTES } from '../../base/limits.ts';
import type { LdapAttribute } from './attributes.ts';
import type { Control } from './controls.ts';
import { parseFilter } from './filter-text.ts';
import { LdapFramer } from './framer.ts';
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  type LdapMessage,
  type LdapRequest,
  type LdapResponse,
  UnacceptableRequest,
} from './message.ts';
import { NOTICE_OF_DISCONNECTION } from './operations/extended.ts';
import { result } from './result.ts';
import { type AttributeValue, decodeValue } from './values.ts';

const photo = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0);
const attributes: readonly LdapAttribute[] = [
  { name: 'objectClass', values: ['domain', 'inetDomain', 'mailDomain'] },
  { name: 'dc', values: ['acme'] },
  { name: 'jpegPhoto', values: [photo] },
];
const critical: readonly Control[] = [
  { type: '1.2.840.113556.1.4.319', critical: true, value: Uint8Array.of(0x30, 0) },
];

const requests: readonly LdapRequest[] = [
  {
    kind: 'bind',
    version: 3,
    name: 'cn=Directory Manager',
    authentication: { method: 'simple', password: 'gehe\u00efm' },
  },
  { kind: 'bind', version: 3, name: '', authentication: { method: 'simple', password: '' } },
  {
    kind: 'bind',
    version: 3,
    name: '',
    authentication: { method: 'sasl', mechanism: 'EXTERNAL', credentials: undefined },
  },
  { kind: 'bind', version: 3, name: '', authentication: { method: 'sasl', mechanism: 'PLAIN', credentials: photo } },
  { kind: 'unbind' },
  {
    kind: 'search',
    baseObject: 'o=internet',
    scope: 'sub',
    derefAliases: 'never',
    sizeLimit: 500,
    timeLimit: 10,
    typesOnly: false,
    filter: parseFilter('(&(objectClass=mailDomain)(dc=acme*))'),
    attributes: ['*', '+'],
  },
  { kind: 'compare', dn: 'dc=acme,o=internet', attribute: 'dc', value: 'acme' },
  { kind: 'add', dn: 'dc=acme,o=internet', attributes },
  {
    kind: 'modify',
    dn: 'dc=acme,o=internet',
    modifications: [
      { operation: 'add', attribute: 'description', values: ['one', 'two'] },
      { operation: 'delete', attribute: 'jpegPhoto', values: [] },
      { operation: 'replace', attribute: 'userPassword', values: [photo] },
    ],
  },
  { kind: 'modifyDn', dn: 'uid=a,o=internet', newRdn: 'uid=b', deleteOldRdn: true, newSuperior: undefined },
  {
    kind: 'modifyDn',
    dn: 'uid=a,o=internet',
    newRdn: 'uid=b',
    deleteOldRdn: false,
    newSuperior: 'ou=People,o=internet',
  },
  { kind: 'delete', dn: 'dc=acme,o=internet' },
  { kind: 'abandon', abandoned: 2147483647 },
  { kind: 'extended', name: '1.3.6.1.4.1.1466.20037', value: undefined },
  { kind: 'extended', name: '1.3.6.1.4.1.4203.1.11.1', value: photo },
];

const responses: readonly LdapResponse[] = [
  { kind: 'bindResponse', result: result('invalidCredentials', 'Wrong DN or password'), serverCredentials: undefined },
  { kind: 'bindResponse', result: result('saslBindInProgress'), serverCredentials: photo },
  { kind: 'searchEntry', dn: 'dc=acme,o=internet', attributes: [...attributes, { name: 'seeAlso', values: [] }] },
  { kind: 'searchReference', uris: ['ldap://other.example/dc=acme'] },
  { kind: 'searchDone', result: result('noSuchObject', '', 'o=internet') },
  { kind: 'modifyResponse', result: result('success') },
  { kind: 'addResponse', result: result('entryAlreadyExists') },
  { kind: 'deleteResponse', result: { ...result('referral'), referral: ['ldap://other.example/', 'ldap://third/'] } },
  { kind: 'modifyDnResponse', result: result('success') },
  { kind: 'compareResponse', result: result('compareTrue') },
  { kind: 'extendedResponse', result: result('protocolError', 'Bye'), name: NOTICE_OF_DISCONNECTION, value: undefined },
  { kind: 'extendedResponse', result: result('success'), name: undefined, value: photo },
  { kind: 'intermediateResponse', name: '1.3.6.1.4.1.4203.1.9.1.4', value: photo },
  { kind: 'intermediateResponse', name: undefined, value: undefined },
];

test('every request and response comes back from its octets, with and without controls', () => {
  for (const controls of [[], critical]) {
    for (const operation of requests) {
      const message: LdapMessage<LdapRequest> = { messageId: 7, operation, controls };
      assert.deepEqual(decodeRequest(encodeRequest(message)), message);
    }
    for (const operation of responses) {
      const message: LdapMessage<LdapResponse> = { messageId: 0, operation, controls };
      assert.deepEqual(decodeResponse(encodeResponse(message)), message);
    }
  }
});

test('octets and what they mean', () => {
  const pairs: readonly [string, LdapRequest, number][] = [
    ['30 0c 02 01 01 60 07 02 01 03 04 00 80 00', requests[1]!, 1],
    ['30 05 02 01 03 42 00', { kind: 'unbind' }, 3],
    ['30 06 02 01 05 50 01 04', { kind: 'abandon', abandoned: 4 }, 5],
    ['30 0f 02 04 7f ff ff ff 4a 07 64 63 3d 61 63 6d 65', { kind: 'delete', dn: 'dc=acme' }, 2147483647],
    [
      '30 25 02 01 02 63 20 04 00 0a 01 00 0a 01 00 02 01 00 02 01 00 01 01 00 87 0b 6f 62 6a 65 63 74 43 6c 61 73 73 30 00',
      {
        kind: 'search',
        baseObject: '',
        scope: 'base',
        derefAliases: 'never',
        sizeLimit: 0,
        timeLimit: 0,
        typesOnly: false,
        filter: { kind: 'present', attribute: 'objectClass' },
        attributes: [],
      },
      2,
    ],
  ];
  for (const [hex, operation, messageId] of pairs) {
    const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
    assert.deepEqual(decodeRequest(bytes), { messageId, operation, controls: [] });
    assert.deepEqual(encodeRequest({ messageId, operation, controls: [] }), bytes);
  }
});

test('what ldapts sends is understood', () => {
  const messageId = 3;
  const attribute = (type: string, values: string[]): ldapts.Attribute => new ldapts.Attribute({ type, values });
  const sent: readonly [ldapts.Message, LdapRequest][] = [
    [
      new ldapts.BindRequest({ messageId, dn: 'cn=a', password: 'p' }),
      { kind: 'bind', version: 3, name: 'cn=a', authentication: { method: 'simple', password: 'p' } },
    ],
    [
      new ldapts.BindRequest({ messageId, mechanism: 'PLAIN', password: 'p' }),
      {
        kind: 'bind',
        version: 3,
        name: '',
        authentication: { method: 'sasl', mechanism: 'PLAIN', credentials: Uint8Array.of(0x70) },
      },
    ],
    [new ldapts.UnbindRequest({ messageId }), { kind: 'unbind' }],
    [
      new ldapts.AddRequest({ messageId, dn: 'cn=a', attributes: [attribute('cn', ['a', 'b'])] }),
      { kind: 'add', dn: 'cn=a', attributes: [{ name: 'cn', values: ['a', 'b'] }] },
    ],
    [
      new ldapts.ModifyRequest({
        messageId,
        dn: 'cn=a',
        changes: [
          new ldapts.Change({ operation: 'replace', modification: attribute('sn', ['x']) }),
          new ldapts.Change({ operation: 'delete', modification: attribute('cn', []) }),
        ],
      }),
      {
        kind: 'modify',
        dn: 'cn=a',
        modifications: [
          { operation: 'replace', attribute: 'sn', values: ['x'] },
          { operation: 'delete', attribute: 'cn', values: [] },
        ],
      },
    ],
    [
      new ldapts.ModifyDNRequest({ messageId, dn: 'cn=a,o=b', newRdn: 'cn=c', newSuperior: 'o=d', deleteOldRdn: true }),
      { kind: 'modifyDn', dn: 'cn=a,o=b', newRdn: 'cn=c', deleteOldRdn: true, newSuperior: 'o=d' },
    ],
    [new ldapts.DeleteRequest({ messageId, dn: 'cn=a' }), { kind: 'delete', dn: 'cn=a' }],
    [
      new ldapts.CompareRequest({ messageId, dn: 'cn=a', attribute: 'sn', value: 'v' }),
      { kind: 'compare', dn: 'cn=a', attribute: 'sn', value: 'v' },
    ],
    [
      new ldapts.ExtendedRequest({ messageId, oid: '1.2.3', value: 'v' }),
      { kind: 'extended', name: '1.2.3', value: Uint8Array.of(0x76) },
    ],
    [
      new ldapts.SearchRequest({
        messageId,
        baseDN: 'o=a',
        scope: 'one',
        timeLimit: 1,
        sizeLimit: 300,
        filter: ldapts.FilterParser.parseString('(&(a=b)(c=*))'),
        attributes: ['mail'],
      }),
      {
        kind: 'search',
        baseObject: 'o=a',
        scope: 'one',
        derefAliases: 'never',
        sizeLimit: 300,
        timeLimit: 1,
        typesOnly: false,
        filter: parseFilter('(&(a=b)(c=*))'),
        attributes: ['mail'],
      },
    ],
  ];
  for (const [message, operation] of sent)
    assert.deepEqual(decodeRequest(message.write()), { messageId, operation, controls: [] });
});

test('ldapts reads what we answer', () => {
  const read = (operation: LdapResponse): ldapts.MessageResponse => {
    const parser = new ldapts.MessageParser();
    const seen: ldapts.MessageResponse[] = [];
    parser.on('message', (message) => seen.push(message));
    parser.on('error', (error) => assert.fail(error));
    const messageId = 9;
    parser.read(encodeResponse({ messageId, operation, controls: [] }), new Map());
    assert.equal(seen.length, 1);
    assert.equal(seen[0]!.messageId, messageId);
    return seen[0]!;
  };
  for (const operation of responses) {
    // Of these it knows nothing.
    if (operation.kind === 'intermediateResponse') continue;
    const message = read(operation);
    if ('result' in operation && operation.kind !== 'extendedResponse') {
      assert.equal(message.status, operation.result.resultCode);
      assert.equal(message.matchedDN, operation.result.matchedDn);
      assert.equal(message.errorMessage, operation.result.diagnosticMessage);
    }
  }
  const entry = read(responses[2]!) as ldapts.SearchEntry;
  assert.equal(entry.name, 'dc=acme,o=internet');
  assert.deepEqual(entry.attributes[0]!.values, ['domain', 'inetDomain', 'mailDomain']);
});

test('a request that is sound in its octets and wrong in its values can be answered', () => {
  const wrong: readonly [string, string, LdapRequest['kind']][] = [
    ['a scope of 9', '300d 020105 6308 0400 0a0109 0a0100', 'search'],
    ['a negative size limit', '3013 020105 630e 0400 0a0100 0a0100 0201ff 020100', 'search'],
    ['version 0', '300c 020105 6007 020100 0400 8000', 'bind'],
    ['an add without values', '3011 020105 680c 0400 3008 3006 0402636e 3100', 'add'],
    ['a modification of kind 3', '3014 020105 660f 0400 300b 3009 0a0103 3004 0400 3100', 'modify'],
    ['a DN that is not UTF-8', '3007 020105 4a02 c328', 'delete'],
  ];
  for (const [what, hex, operation] of wrong)
    assert.throws(
      () => decodeRequest(Buffer.from(hex.replaceAll(' ', ''), 'hex')),
      (error) => error instanceof UnacceptableRequest && error.messageId === 5 && error.operation === operation,
      what,
    );
});

test('what can not be answered is a plain syntax failure', () => {
  const wrong: readonly [string, string][] = [
    ['message ID 0', '3005 020100 4200'],
    ['a negative message ID', '3005 0201ff 4200'],
    ['a message ID over 2^31 - 1', '3009 02050080000000 4200'],
    ['a message ID without octets', '3004 0200 4200'],
    ['no operation', '3003 020101'],
    ['an operation that does not exist', '3005 020101 7f00'],
    ['a response', '300c 020101 6107 0a0100 0400 0400'],
    ['an operation longer than its message', '3005 020101 4a05'],
    ['octets after the message', '3005 020101 4200 00'],
    ['what a later standard may add, longer than its sequence', '3013 020101 6e0e 04016f 3007 0402 6463 040161 8a05'],
    ['a search of indefinite length', '3007 020101 6380 0000'],
  ];
  for (const [what, hex] of wrong)
    assert.throws(
      () => decodeRequest(Buffer.from(hex.replaceAll(' ', ''), 'hex')),
      (error) => error instanceof SyntaxFailure && !(error instanceof UnacceptableRequest),
      what,
    );
});

test('what a later standard adds at the end of a sequence is passed over', () => {
  const hex = '3011 020101 600a 020103 0400 8000 8501ff 8a00'.replaceAll(' ', '');
  assert.deepEqual(decodeRequest(Buffer.from(hex, 'hex')).operation, requests[1]);
});

const everything = [
  ...requests.map((operation) => encodeRequest({ messageId: 5, operation, controls: critical })),
  ...responses.map((operation) => encodeResponse({ messageId: 5, operation, controls: critical })),
];

/** The decoded value, or the failure; anything else that is thrown fails the test. */
function attempt(bytes: Buffer): unknown[] {
  return [decodeRequest, decodeResponse].map((decode) => {
    try {
      return decode(bytes);
    } catch (error) {
      if (error instanceof SyntaxFailure) return error.message;
      throw error;
    }
  });
}

test('a message cut at any octet is refused, and split at any octet it is the same', () => {
  for (const bytes of everything)
    for (let at = 0; at < bytes.length; at++) {
      const cut = attempt(bytes.subarray(0, at));
      assert.ok(cut.every((outcome) => typeof outcome === 'string'));
      const framer = new LdapFramer(LDAP_MESSAGE_BYTES);
      framer.push(bytes.subarray(0, at));
      assert.equal(framer.next(), undefined);
      framer.push(bytes.subarray(at));
      assert.deepEqual(framer.next(), bytes);
    }
});

test('mutated messages give a value or a syntax failure, nothing else', () => {
  const mutation = fc.record({
    at: fc.nat(),
    octet: fc.nat({ max: 255 }),
    kind: fc.constantFrom('set', 'insert', 'drop'),
  });
  fc.assert(
    fc.property(
      fc.constantFrom(...everything),
      fc.array(mutation, { minLength: 1, maxLength: 8 }),
      (bytes, mutations) => {
        let mutated = [...bytes];
        for (const { at, octet, kind } of mutations) {
          const place = at % (mutated.length + 1);
          if (kind === 'set') mutated[place] = octet;
          else if (kind === 'insert') mutated.splice(place, 0, octet);
          else mutated = mutated.toSpliced(place, 1);
        }
        attempt(Buffer.from(mutated));
      },
    ),
    { numRuns: Number(process.env['FUZZ_CASES'] ?? 20_000) },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (octets) => {
      attempt(Buffer.from(octets));
      const framer = new LdapFramer(1000);
      framer.push(Buffer.from(octets));
      try {
        while (framer.next() !== undefined);
      } catch (error) {
        assert.ok(error instanceof SyntaxFailure);
      }
    }),
    { numRuns: 5000 },
  );
});

test('names that mean something to JavaScript are names like others', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
  const operation: LdapRequest = {
    kind: 'add',
    dn: 'cn=__proto__',
    attributes: names.map((name) => ({ name, values: [name] })),
  };
  const message = { messageId: 1, operation, controls: [] };
  assert.deepEqual(decodeRequest(encodeRequest(message)), message);
});

test('octets that look like text and are none stay octets', () => {
  const values: readonly AttributeValue[] = ['', 'a\0b', '\ufeffx', 'ü', photo, Uint8Array.of(0xc0, 0x80), '\u{1f4ee}'];
  for (const value of values) {
    const operation: LdapRequest = { kind: 'compare', dn: '', attribute: 'a', value };
    const back = decodeRequest(encodeRequest({ messageId: 1, operation, controls: [] })).operation;
    assert.deepEqual(back, operation);
  }
  assert.equal(typeof decodeValue(Buffer.from('ü')), 'string');
});
