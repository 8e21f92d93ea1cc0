// A mail comes out of its text as it went in, whatever its recipients resolve to.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AccountId, idOf } from '../base/ids.ts';
import type { Address } from '../message/address.ts';
import { replies } from '../routing/replies.ts';
import { INTERNAL_REQUEST, type RouteRequest } from '../routing/route-request.ts';
import { hopTarget, mailboxTarget } from '../routing/targets.ts';
import { decodeMail, encodeMail } from './mail-text.ts';

const plain = { noNullPrototype: true } as const;
const address: fc.Arbitrary<Address> = fc.record(
  { localPart: fc.constantFrom('ann', 'a "b"', 'Zo\u00eb'), domain: fc.constantFrom('acme.example', '') },
  plain,
);
const reply = fc.constantFrom(...Object.values(replies));
/** Routing gives a recipient's own address on, or another's: a list's member. */
const resolved = (own: Address) =>
  fc.record(
    {
      reply,
      targets: fc.array(
        fc.oneof(
          fc.nat(9).map((account) => mailboxTarget(own, idOf<AccountId>(account))),
          address.map((each) => hopTarget(each, each.domain)),
        ),
        { maxLength: 3 },
      ),
      failures: fc.array(fc.record({ recipient: address, reply }, plain), { maxLength: 2 }),
    },
    plain,
  );
/** As it is written, or otherwise; with and without what DSN says of it. */
const recipient = address.chain((own) =>
  fc.tuple(
    fc.record(
      {
        address: fc.constant(own),
        original: fc.constantFrom('x', `${own.localPart}@${own.domain}`),
        notify: fc.constant(['SUCCESS'] as const),
      },
      { ...plain, requiredKeys: ['address'] },
    ),
    resolved(own),
  ),
);

const caller = fc.constantFrom(
  { kind: 'anonymous' } as const,
  { kind: 'server' } as const,
  { kind: 'administrator', dn: 'cn=x' } as const,
  { kind: 'entry', uuid: 'u', dn: 'uid=x' } as const,
);

/** Required: a key that is new to the type has to be added here, or this file does not compile. */
const request: fc.Arbitrary<Required<RouteRequest>> = fc.record(
  {
    sender: fc.option(address, { nil: undefined }),
    caller,
    mayRelay: fc.boolean(),
    door: fc.constantFrom('smtp', 'submission', 'lmtp', 'sendmail', 'api', 'internal'),
    sizeBytes: fc.nat(),
    peer: fc.constantFrom('192.0.2.1', '2001:db8::1'),
    channel: fc.string(),
    lists: fc.array(fc.nat()),
    custody: fc.array(fc.string()),
    author: fc.record({ sender: fc.option(address, { nil: undefined }), caller }, plain),
  },
  plain,
);

test('envelope, request and resolutions survive', () => {
  fc.assert(
    fc.property(fc.array(recipient, { maxLength: 5 }), request, (pairs, asked) => {
      const envelope = { sender: asked.sender, recipients: pairs.map(([one]) => one), body: '8BITMIME' } as const;
      const mail = { envelope, request: asked, resolutions: pairs.map(([, one]) => one) };
      assert.deepEqual(decodeMail(encodeMail(mail)), mail);
    }),
  );
});

test('a request without a size and a client stays without one', () => {
  const mail = { envelope: { sender: undefined, recipients: [], body: '7BIT' }, resolutions: [] } as const;
  assert.deepEqual(decodeMail(encodeMail({ ...mail, request: INTERNAL_REQUEST })).request, INTERNAL_REQUEST);
});
