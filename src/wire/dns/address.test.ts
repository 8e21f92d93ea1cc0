import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SyntaxFailure } from '../../base/cursor.ts';
import { ipv4Octets, ipv4Text, ipv6Octets, ipv6Text } from './address.ts';

test('an address and its text belong to each other', () => {
  const groups = fc.array(fc.constantFrom(0, 0, 0, 1, 0xff, 0xabcd), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(groups, (all) => {
      const octets = Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
      const text = ipv6Text(octets);
      assert.deepEqual(ipv6Octets(text), octets);
      // The platform's own URL parser writes RFC 5952 too.
      assert.equal(`[${text}]`, new URL(`http://[${text}]/`).hostname);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 4, maxLength: 4 }), (octets) => {
      assert.deepEqual(ipv4Octets(ipv4Text(octets)), octets);
    }),
  );
});

test('an IPv6 address may end as an IPv4 address', () => {
  assert.equal(ipv6Text(ipv6Octets('::ffff:192.0.2.1')), '::ffff:c000:201');
  assert.equal(ipv6Text(ipv6Octets('::192.0.2.1')), '::c000:201');
});

test('what is no address is refused', () => {
  for (const text of ['', '1.2.3', '1.2.3.256', '01.2.3.4x', '::1'])
    assert.throws(() => ipv4Octets(text), SyntaxFailure);
  for (const text of ['', '1.2.3.4', ':::', 'fe80::1%eth0', '1::2::3', '12345::']) {
    assert.throws(() => ipv6Octets(text), SyntaxFailure);
  }
});
