// What waits in the queue says who asked: what is no request is refused as such.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Failure } from '../base/failure.ts';
import type { Json } from '../base/json.ts';
import { decodeRouteRequest, encodeRouteRequest, INTERNAL_REQUEST } from './route-request.ts';

test('what is no request is invalid, whatever of it is wrong', () => {
  const right = encodeRouteRequest(INTERNAL_REQUEST);
  assert.deepEqual(decodeRouteRequest(right), INTERNAL_REQUEST);
  const wrong: readonly (Json | undefined)[] = [
    ...[undefined, null, 'smtp', 1, true, [], [right]],
    ...[{ mayRelay: 1 }, { door: 'window' }, { sizeBytes: 'x' }, { peer: 1 }, { lists: [null] }, { custody: 'x' }].map(
      (change) => ({ ...right, ...change }),
    ),
    { ...right, author: null },
  ];
  for (const json of wrong)
    assert.throws(
      () => decodeRouteRequest(json),
      (error) => error instanceof Failure && error.kind === 'invalid',
      JSON.stringify(json),
    );
});
