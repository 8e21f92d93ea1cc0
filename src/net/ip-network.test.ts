// Addresses and networks as people write them; membership against arithmetic.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedText } from '../../test/support/nearly-right.ts';
import { addressBits, networkBits } from './ip-network.ts';

const isIn = (address: string, network: string): boolean => addressBits(address)!.startsWith(networkBits(network)!);

test('one address has one text, however it is written', () => {
  const same = [
    ['192.0.2.1', '::ffff:192.0.2.1', '::ffff:c000:201', '0:0:0:0:0:FFFF:192.0.2.1'],
    ['2001:db8::1', '2001:0DB8:0:0::1', '2001:db8:0:0:0:0:0.0.0.1', '2001:db8::1%eth0'],
    ['::', '0:0:0:0:0:0:0:0', '::0'],
  ];
  for (const texts of same) for (const text of texts) assert.equal(addressBits(text), addressBits(texts[0]!), text);
  assert.notEqual(addressBits('::'), addressBits('0.0.0.0'));
});

test('networks by length and by mask', () => {
  assert.ok(isIn('192.0.2.200', '192.0.2.0/24'));
  assert.ok(isIn('192.0.2.200', '192.0.2.0/255.255.255.0'));
  assert.ok(isIn('192.0.2.200', '192.0.2.7/24'), 'bits behind the length mean nothing');
  assert.ok(isIn('192.0.2.200', '::ffff:192.0.2.0/120'));
  assert.ok(isIn('2001:db8::1', '2001:db8::/ffff:ffff::'));
  assert.ok(isIn('198.51.100.1', '0.0.0.0/0'));
  assert.ok(!isIn('192.0.3.1', '192.0.2.0/24'));
  assert.ok(!isIn('::1', '0.0.0.0/0'));
  assert.ok(!isIn('1.2.3.4', '::/0'));
});

test('what is none', () => {
  const none = ['', 'a', '1.2.3', '01.2.3.4', '1.2.3.4/', '1.2.3.4/33', '1.2.3.4/-1', '1.2.3.4/08', '1.2.3.4/1e1'];
  none.push('1.2.3.4/255.0.255.0', '1.2.3.4/ffff::', '::/129', '::1%lo/64', '1.2.3.4/8/8', '[::1]', '1.2.3.0/24 ');
  for (const text of none) assert.equal(networkBits(text), undefined, text);
  assert.equal(addressBits('mail.example'), undefined);
});

test('an IPv4 network holds what arithmetic says', () => {
  const address = fc.nat({ max: 0xffffffff });
  const near = fc
    .tuple(address, fc.nat({ max: 32 }))
    .map(([from, bit]) => (bit === 32 ? from : from ^ (1 << bit)) >>> 0);
  const written = (n: number): string => [24, 16, 8, 0].map((shift) => (n >>> shift) & 255).join('.');
  fc.assert(
    fc.property(near, address, fc.nat({ max: 32 }), fc.boolean(), (a, b, bits, close) => {
      const net = close ? (a ^ (1 << (31 - (bits % 32)))) >>> 0 : b;
      const size = 2 ** (32 - bits);
      const expected = Math.floor(a / size) === Math.floor(net / size);
      assert.equal(isIn(written(a), `${written(net)}/${bits}`), expected);
      const mask = written(bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0);
      assert.equal(isIn(written(a), `${written(net)}/${mask}`), expected);
    }),
  );
});

test('any text is a network of so many bits, or none; an address is in the network that it is itself', () => {
  const seeds = [
    '192.0.2.0/24',
    '192.0.2.7/255.255.255.0',
    '2001:db8::/ffff:ffff::',
    '::ffff:192.0.2.0/120',
    'fe80::1%eth0',
    '::1',
  ];
  fc.assert(
    fc.property(mutatedText(seeds), (text) => {
      const network = networkBits(text);
      const address = addressBits(text);
      for (const bits of [network, address]) assert.match(bits ?? '4', /^(4[01]{0,32}|6[01]{0,128})$/);
      if (address === undefined || text.includes('%')) return;
      assert.equal(network, address);
      assert.ok(address.length === 33 || address.length === 129);
    }),
    fuzzCases(2000),
  );
});
