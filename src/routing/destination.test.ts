// Destinations: what is one, and that each has one spelling.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedText } from '../../test/support/nearly-right.ts';
import { formatHops, type Hop, parseDestination, parseHop } from './destination.ts';

const hopsOf = (text: string): readonly Hop[] | undefined => {
  const destination = parseDestination(text);
  return destination === undefined || 'domain' in destination ? undefined : destination.hops;
};

test('a domain stands without brackets, hosts in them', () => {
  assert.deepEqual(parseDestination('remote.example'), { domain: 'remote.example' });
  assert.deepEqual(hopsOf('[Mail2.example]'), [{ host: 'mail2.example', port: undefined }]);
  assert.deepEqual(hopsOf('[a.example],[192.0.2.1]:2525'), [
    { host: 'a.example', port: undefined },
    { host: '192.0.2.1', port: 2525 },
  ]);
  // The domain of rex@[192.0.2.1] is a destination too.
  assert.deepEqual(hopsOf('[192.0.2.1]'), [{ host: '192.0.2.1', port: undefined }]);
  assert.deepEqual(hopsOf('[IPv6:2001:DB8::1]:26'), [{ host: '2001:db8::1', port: 26 }]);
  assert.deepEqual(hopsOf('[2001:db8::1]'), [{ host: '2001:db8::1', port: undefined }]);
});

test('ten hops at most, each a host with a port of TCP', () => {
  const many = (count: number): string => Array.from({ length: count }, (_, i) => `[h${i}.example]`).join(',');
  assert.equal(hopsOf(many(10))?.length, 10);
  for (const bad of [
    '',
    many(11),
    `[${'a'.repeat(3000)}]`,
    '[a.example],b.example',
    '[a.example],',
    '[a.example] ',
    '[a.example]:0',
    '[a.example]:65536',
    '[a.example]:',
    '[a.example]:+25',
    '[a.example]25',
    '[a.example',
    '[]',
    '[a b]',
    '[192.0.2.256]',
    '[IPv6:a.example]',
    '[[a.example]]',
  ])
    assert.equal(parseDestination(bad), undefined, bad);
});

test('a person may leave the brackets of a name out', () => {
  assert.deepEqual(parseHop('Relay.example:587'), { host: 'relay.example', port: 587 });
  assert.deepEqual(parseHop('relay.example'), { host: 'relay.example', port: undefined });
  assert.deepEqual(parseHop('[192.0.2.9]:2525'), { host: '192.0.2.9', port: 2525 });
  for (const bad of ['', ':25', '192.0.2.9', '2001:db8::1', 'a b', 'x:0', 'x:y', 'x:25:25'])
    assert.equal(parseHop(bad), undefined, bad);
});

test('printed and read again they are the same', () => {
  const host = fc.oneof(
    fc.constantFrom('a.example', 'mail-2.b.example', 'x'),
    fc.ipV4(),
    fc.ipV6().map((ip) => ip.toLowerCase()),
  );
  const hop = fc.record({ host, port: fc.oneof(fc.constant(undefined), fc.integer({ min: 1, max: 65_535 })) });
  fc.assert(
    fc.property(fc.array(hop, { minLength: 1, maxLength: 10 }), (hops) => {
      const text = formatHops(hops);
      const read = hopsOf(text);
      assert.ok(read, text);
      assert.equal(formatHops(read), text);
      assert.deepEqual(
        read.map(({ port }) => port),
        hops.map(({ port }) => port),
      );
    }),
  );
  fc.assert(
    fc.property(fc.string(), (text) => {
      const destination = parseDestination(`[${text}`);
      if (destination !== undefined && 'hops' in destination)
        assert.deepEqual(parseDestination(formatHops(destination.hops)), destination);
    }),
  );
});

test('any text near hops is a domain, hosts that are printed and read again as the same, or nothing', () => {
  const seeds = [
    'relay.example',
    '[a.example],[192.0.2.1]:2525,[IPv6:2001:db8::1]:25',
    '[mail-2.b.example]:587',
    '192.0.2.9',
  ];
  fc.assert(
    fc.property(mutatedText(seeds), (text) => {
      const hop = parseHop(text);
      if (hop !== undefined) assert.ok(hop.host !== '' && (hop.port ?? 25) > 0 && (hop.port ?? 25) <= 65_535);
      const destination = parseDestination(text);
      if (destination === undefined || 'domain' in destination) return;
      assert.ok(destination.hops.length > 0 && destination.hops.length <= 10);
      assert.deepEqual(parseDestination(formatHops(destination.hops)), destination);
    }),
    fuzzCases(1500),
  );
});
