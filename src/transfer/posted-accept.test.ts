// What is to be accepted crosses the threads as it was given, and so does what has become of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { idOf } from '../base/ids.ts';
import { replies } from '../routing/replies.ts';
import type { AcceptArguments, Accepted } from './accept.ts';
import { decodeAccept, decodeAccepted, encodeAccept, encodeAccepted } from './posted-accept.ts';

const plain = { noNullPrototype: true } as const;
const id = fc.maxSafeNat().map((number) => idOf<never>(number));

/** Required: a key that is new to the types has to be added here, or this file does not compile. What comes in is plain. */
const blob: fc.Arbitrary<Omit<Required<AcceptArguments['message']['blob']>, 'message' | 'stored'>> = fc.record(
  {
    segment: id,
    offset: fc.nat(),
    length: fc.nat(),
    hash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    codec: fc.nat(3),
    isUnsynced: fc.constant(true as const),
  },
  plain,
);
const message: fc.Arbitrary<Required<AcceptArguments['message']>> = fc
  .record(
    {
      id,
      blob: fc.oneof(
        blob,
        blob.map(({ isUnsynced: _, ...synced }) => synced),
      ),
      received: fc.nat(),
      traceBytes: fc.nat(),
      header: fc.string({ unit: 'binary' }),
      structure: fc.string(),
      bareLineFeeds: fc.nat(),
      parser: fc.nat(),
    },
    plain,
  )
  .map(({ blob: place, ...row }) => ({ ...row, blob: { message: row.id, ...place } }));
const whole: fc.Arbitrary<Required<AcceptArguments>> = fc.record(
  {
    message,
    mail: fc.string({ unit: 'binary' }),
    revision: id,
    refusal: fc.constantFrom<AcceptArguments['refusal']>(undefined, ...Object.values(replies)),
    refused: fc.constantFrom<AcceptArguments['refused']>('report', 'always', 'return'),
    messageId: fc.option(fc.string(), { nil: undefined }),
    at: fc.nat(),
    part: fc.constantFrom({ part: 'forward', of: 3 }, { part: 'mailbox', aloneOf: 7 }),
  },
  plain,
);
const args: fc.Arbitrary<AcceptArguments> = fc.oneof(
  whole,
  whole.map(({ part: _, ...of }) => of),
);
const accepted: fc.Arbitrary<Required<Accepted>> = fc.record(
  {
    kinds: fc.array(
      fc.record(
        { reply: fc.constantFrom(...Object.values(replies)), how: fc.constantFrom('delivered', 'queued') },
        plain,
      ),
    ),
    results: fc.array(fc.nat(3)),
    delivered: fc.nat(),
    queued: fc.nat(),
  },
  plain,
);

test('arguments and outcome arrive as they left', () => {
  fc.assert(
    fc.property(args, accepted, (given, outcome) => {
      assert.deepEqual(decodeAccept(structuredClone(encodeAccept(given))), given);
      assert.deepEqual(decodeAccepted(structuredClone(encodeAccepted(outcome))), outcome);
    }),
    { numRuns: 300 },
  );
});
