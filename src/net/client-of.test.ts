import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clientOf } from './client-of.ts';

test('an IPv4 address is a client, and so is a Unix socket', () => {
  assert.equal(clientOf('192.0.2.1'), '192.0.2.1');
  assert.equal(clientOf(''), '');
});

const written = [
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:DB8:0:1:ffff::', '2001:db8:0:1::/64'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['::1', '0:0:0:0::/64'],
  ['::', '0:0:0:0::/64'],
  ['1::3:4:5:6:7:8', '1:0:3:4::/64'],
  ['::2:3:4:5:6:7:8', '0:2:3:4::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
] as const;
for (const [address, client] of written)
  test(`${address} is of ${client}`, () => {
    assert.equal(clientOf(address), client);
  });

test('two addresses are one client exactly when their first 64 bits are the same', () => {
  const groups = fc.array(fc.constantFrom(0, 0, 0, 1, 0xffff), { minLength: 8, maxLength: 8 });
  // As the system writes them, zeros left out.
  const text = (all: readonly number[]): string =>
    new URL(`http://[${all.map((group) => group.toString(16)).join(':')}]/`).hostname.slice(1, -1);
  fc.assert(
    fc.property(groups, groups, (one, other) => {
      const same = one.slice(0, 4).join() === other.slice(0, 4).join();
      assert.equal(clientOf(text(one)) === clientOf(text(other)), same);
    }),
  );
});
