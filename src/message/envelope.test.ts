// Every key of an envelope goes through the codec and comes back, as JSON text and as a value.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../base/failure.ts';
import { type Address, parseAddress } from './address.ts';
import {
  type DeliverBy,
  decodeEnvelope,
  type Envelope,
  encodeEnvelope,
  formatPath,
  formatSender,
  type Recipient,
} from './envelope.ts';

const plain = { noNullPrototype: true } as const;
const address: fc.Arbitrary<Address> = fc.record(
  { localPart: fc.string({ minLength: 1 }), domain: fc.domain() },
  plain,
);
/** Required: a key that is new to the types has to be added here, or this file does not compile. */
const whole: fc.Arbitrary<Required<Recipient>> = fc.record(
  {
    address,
    original: fc.string(),
    notify: fc.subarray(['SUCCESS', 'FAILURE', 'DELAY'] as const),
    orcpt: fc.record({ type: fc.string(), address: fc.string() }, plain),
  },
  plain,
);
const by: fc.Arbitrary<DeliverBy> = fc.oneof(
  fc.record({ at: fc.nat(), mode: fc.constantFrom('R', 'N') }, plain),
  fc.record({ at: fc.nat(), mode: fc.constantFrom('R', 'N'), trace: fc.constant(true) }, plain),
);
const recipient: fc.Arbitrary<Recipient> = fc.oneof(whole, fc.record({ address }, plain));
const envelope: fc.Arbitrary<Required<Envelope>> = fc.record(
  {
    sender: fc.option(address, { nil: undefined }),
    recipients: fc.array(recipient),
    body: fc.constantFrom('7BIT', '8BITMIME'),
    isUtf8: fc.constant(true),
    ret: fc.constantFrom('FULL', 'HDRS'),
    envid: fc.string(),
    requireTls: fc.constant(true),
    by,
    holdUntil: fc.nat(),
    priority: fc.integer({ min: -9, max: 9 }),
  },
  plain,
);

test('every key survives the codec', () => {
  fc.assert(
    fc.property(envelope, (given) => {
      assert.deepEqual(decodeEnvelope(JSON.parse(JSON.stringify(encodeEnvelope(given)))), given);
    }),
  );
});

test('what is no envelope is a failure, not an envelope with holes', () => {
  const whole = { sender: null, recipients: [{ address: ['a', 'b'] }], body: '7BIT' };
  assert.equal(decodeEnvelope(whole).recipients.length, 1);
  for (const broken of [
    null,
    [],
    'x',
    { ...whole, sender: undefined },
    { ...whole, sender: ['a'] },
    { ...whole, body: 'BINARYMIME' },
    { ...whole, recipients: {} },
    { ...whole, recipients: [{}] },
    { ...whole, recipients: [{ address: null }] },
    { ...whole, recipients: [{ address: ['a', 1] }] },
    { ...whole, recipients: [{ address: ['a', 'b'], original: 1 }] },
    { ...whole, recipients: [{ address: ['a', 'b'], notify: ['NEVER'] }] },
    { ...whole, recipients: [{ address: ['a', 'b'], orcpt: 'rfc822;a@b' }] },
    { ...whole, isUtf8: false },
    { ...whole, ret: 'ALL' },
    { ...whole, by: { at: '1', mode: 'R' } },
    { ...whole, holdUntil: null },
  ])
    assert.throws(
      () => decodeEnvelope(broken as never),
      (error) => error instanceof Failure && error.kind === 'invalid',
      JSON.stringify(broken),
    );
});

test('the null reverse-path is empty text in lists and <> in a path', () => {
  assert.equal(formatSender(undefined), '');
  assert.equal(formatPath(undefined), '<>');
  const sender = parseAddress('"a b"@acme.example');
  assert.equal(formatSender(sender), '"a b"@acme.example');
  assert.equal(formatPath(sender), '<"a b"@acme.example>');
});
