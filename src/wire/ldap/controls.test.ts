// The values of controls and of extended operations, from octets that are nearly such a value, or none.
//
// In      FUZZ_CASES: how many; `npm run fuzz` says a million

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SyntaxFailure } from '../../base/cursor.ts';
import { assertion } from './controls/assertion.ts';
import { manageDsaIt } from './controls/manage-dsa-it.ts';
import { pagedResults } from './controls/paged-results.ts';
import { proxiedAuthorization } from './controls/proxied-authorization.ts';
import { postReadResponse, preReadRequest } from './controls/read-entry.ts';
import { sortRequest, sortResponse } from './controls/sort.ts';
import { subtreeDelete } from './controls/subtree-delete.ts';
import { zoneMarks } from './controls/zone-marks.ts';
import { cancelRequest } from './extended/cancel.ts';
import { generatedPassword, passwordModifyRequest } from './extended/password-modify.ts';
import { parseFilter } from './filter-text.ts';

const CASES = Number(process.env['FUZZ_CASES'] ?? 3000);

interface Codec {
  readonly decode: (octets: Uint8Array) => unknown;
  /** Back again: absent where nobody sends it so. */
  readonly encode?: (value: never) => Uint8Array | undefined;
}

const codecs: readonly Codec[] = [
  ...[pagedResults, sortRequest, sortResponse, assertion, preReadRequest, postReadResponse, proxiedAuthorization],
  ...[manageDsaIt, subtreeDelete, zoneMarks, cancelRequest, passwordModifyRequest, generatedPassword],
];
const sound: readonly Uint8Array[] = [
  pagedResults.encode({ size: 2, cookie: Buffer.alloc(16) }),
  sortRequest.encode([
    { attribute: 'uid', rule: '2.5.13.3', reverse: true },
    { attribute: 'cn', rule: undefined, reverse: false },
  ]),
  sortResponse.encode({ resultCode: 16, attribute: 'uid' }),
  assertion.encode(parseFilter('(&(cn=a*b*c)(!(uid=x))(|(mail:caseExactMatch:=y)(sn>=z)(cn=*)))')),
  preReadRequest.encode(['cn', '+']),
  proxiedAuthorization.encode('dn:uid=ann,o=internet'),
  zoneMarks.encode({ since: 42 }),
  cancelRequest.encode(1),
  passwordModifyRequest.encode({ identity: 'cn=nobody', oldPassword: 'y', newPassword: 'x' }),
].map((octets) => octets!);

/** A byte array's prototype is of no matter. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, v) => (v instanceof Uint8Array ? Buffer.from(v).toString('hex') : v)) ?? 'null');

test('a password that was made, with more behind it, is a syntax failure', () => {
  const octets = generatedPassword.encode('secret');
  assert.equal(String(generatedPassword.decode(octets)), 'secret');
  const more = Buffer.concat([octets, Buffer.from('020101', 'hex')]);
  more[1]! += 3;
  for (const wrong of [more, Buffer.concat([octets, Buffer.from([0])])])
    assert.throws(() => generatedPassword.decode(wrong), SyntaxFailure);
});

test('an entry that was read, with a rest that is no element, is a syntax failure', () => {
  // An entry of no name and no attributes; behind them an element, then one of a false length.
  for (const [rest, isRight] of [
    ['020101', true],
    ['040561', false],
  ] as const) {
    const octets = Buffer.from(`30${(4 + rest.length / 2).toString(16).padStart(2, '0')}04003000${rest}`, 'hex');
    if (isRight) assert.equal(postReadResponse.decode(octets).dn, '');
    else assert.throws(() => postReadResponse.decode(octets), SyntaxFailure);
  }
});

test('any octets are a value, which comes back from its octets, or a syntax failure', () => {
  let read = 0;
  const attempt = (octets: Uint8Array): void => {
    for (const { decode, encode } of codecs) {
      let value: unknown;
      try {
        value = decode(octets);
      } catch (error) {
        assert.ok(error instanceof SyntaxFailure, String(error));
        continue;
      }
      read++;
      const again = encode?.(value as never);
      if (again !== undefined) assert.deepEqual(plain(decode(again)), plain(value));
    }
  };
  for (const octets of sound) attempt(octets);
  const change = fc.tuple(fc.nat(), fc.nat({ max: 255 }));
  const mutated = fc
    .tuple(fc.constantFrom(...sound), fc.array(change, { maxLength: 3 }), fc.nat({ max: 3 }))
    .map(([seed, changes, cut]) => {
      const copy = Buffer.from(seed);
      for (const [at, octet] of changes) if (copy.length > 0) copy[at % copy.length] = octet;
      return new Uint8Array(copy.subarray(0, copy.length - cut));
    });
  fc.assert(fc.property(fc.oneof(mutated, mutated, fc.uint8Array({ maxLength: 40 })), attempt), { numRuns: CASES });
  assert.ok(read > sound.length);
});
