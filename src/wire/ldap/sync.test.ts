// The values of content synchronization: both ways, as slapd writes them, and from octets that are none.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SyntaxFailure } from '../../base/cursor.ts';
import { syncDone, syncRequest, syncState } from './controls/sync.ts';
import { syncInfo } from './extended/sync-info.ts';
import { decodeResponse, encodeResponse } from './message.ts';

const cookie = fc.option(fc.uint8Array({ minLength: 1, maxLength: 80 }), { nil: undefined });
const uuid = fc.uuid();
const anyRequest = fc.record({
  mode: fc.constantFrom('refreshOnly' as const, 'refreshAndPersist' as const),
  cookie,
  reloadHint: fc.boolean(),
});
const anyState = fc.record({
  state: fc.constantFrom('present' as const, 'add' as const, 'modify' as const, 'delete' as const),
  ...{ uuid, cookie },
});
const anyDone = fc.record({ cookie, refreshDeletes: fc.boolean() });
const anyInfo = fc.oneof(
  fc.record({ kind: fc.constant('newCookie' as const), cookie: fc.uint8Array({ maxLength: 80 }) }),
  fc.record({
    kind: fc.constantFrom('refreshDelete' as const, 'refreshPresent' as const),
    ...{ cookie, refreshDone: fc.boolean() },
  }),
  fc.record({
    kind: fc.constant('syncIdSet' as const),
    ...{ cookie, refreshDeletes: fc.boolean(), uuids: fc.array(uuid, { maxLength: 300 }) },
  }),
);

/** A byte array's prototype is of no matter. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, v) => (v instanceof Uint8Array ? Buffer.from(v).toString('hex') : v)));

test('each value comes back from its octets', () => {
  fc.assert(
    fc.property(anyRequest, anyState, anyDone, anyInfo, (request, state, done, info) => {
      assert.deepEqual(plain(syncRequest.decode(syncRequest.encode(request))), plain(request));
      assert.deepEqual(plain(syncState.decode(syncState.encode(state))), plain(state));
      assert.deepEqual(plain(syncDone.decode(syncDone.encode(done))), plain(done));
      assert.deepEqual(plain(syncInfo.decode(syncInfo.encode(info))), plain(info));
      const operation = {
        kind: 'intermediateResponse',
        name: '1.2',
        value: new Uint8Array(syncInfo.encode(info)),
      } as const;
      const message = { messageId: 3, operation, controls: [] };
      assert.deepEqual(plain(decodeResponse(encodeResponse(message))), plain(message));
    }),
  );
});

test('octets and what they mean', () => {
  const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');
  const uuid = '0001020304050607 08090a0b0c0d0e0f';
  const text = '00010203-0405-0607-0809-0a0b0c0d0e0f';
  assert.deepEqual(syncRequest.decode(hex('30 03 0a 01 03')), {
    mode: 'refreshAndPersist',
    ...{ cookie: undefined, reloadHint: false },
  });
  assert.deepEqual(syncState.decode(hex(`30 15 0a 01 01 04 10 ${uuid}`)), {
    state: 'add',
    ...{ uuid: text, cookie: undefined },
  });
  assert.deepEqual(syncDone.decode(hex('30 03 01 01 ff')), { cookie: undefined, refreshDeletes: true });
  assert.deepEqual(syncInfo.decode(hex('a2 00')), { kind: 'refreshPresent', cookie: undefined, refreshDone: true });
  assert.deepEqual(syncInfo.decode(hex(`a3 17 01 01 ff 31 12 04 10 ${uuid}`)), {
    kind: 'syncIdSet',
    ...{ cookie: undefined, refreshDeletes: true, uuids: [text] },
  });
});

test('any other octets are a syntax failure, and nothing worse', () => {
  const decoders = [syncRequest.decode, syncState.decode, syncDone.decode, syncInfo.decode];
  const attempt = (octets: Uint8Array): void => {
    for (const decode of decoders)
      try {
        decode(octets);
      } catch (error) {
        assert.ok(error instanceof SyntaxFailure, String(error));
      }
  };
  const sound = fc.oneof(
    anyRequest.map(syncRequest.encode),
    anyState.map(syncState.encode),
    anyDone.map(syncDone.encode),
    anyInfo.map(syncInfo.encode),
  );
  const numRuns = Number(process.env['FUZZ_CASES'] ?? 5000);
  fc.assert(
    fc.property(sound, fc.nat(), fc.nat(255), fc.nat(), (octets, at, octet, cut) => {
      const mutated = Buffer.from(octets!);
      if (mutated.length > 0) mutated[at % mutated.length] = octet;
      attempt(mutated);
      attempt(mutated.subarray(0, cut % (mutated.length + 1)));
    }),
    { numRuns },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), attempt), { numRuns });
});
