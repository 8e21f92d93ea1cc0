import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedText } from '../../test/support/nearly-right.ts';
import { Cursor, SyntaxFailure } from '../base/cursor.ts';
import { Failure } from '../base/failure.ts';
import {
  type Address,
  addressKey,
  formatAddress,
  formatAddressLiteral,
  isBeyondAscii,
  isValidDomain,
  literalAddress,
  normalizeDomain,
  parseAddress,
  parseForwardPath,
  parseReversePath,
  tryParseAddress,
} from './address.ts';

function forward(text: string): Address {
  const cursor = new Cursor(text);
  const address = parseForwardPath(cursor);
  cursor.end();
  return address;
}

function reverse(text: string): Address | undefined {
  const cursor = new Cursor(text);
  const address = parseReversePath(cursor);
  cursor.end();
  return address;
}

test('a path gives the local part as it is meant and the domain in lower case', () => {
  const cases: readonly [string, string, string][] = [
    ['<ann@acme.example>', 'ann', 'acme.example'],
    ['ann@acme.example', 'ann', 'acme.example'],
    ['"a b"@[127.0.0.1]', 'a b', '[127.0.0.1]'],
    ['<Ann.B+tag@ACME.Example>', 'Ann.B+tag', 'acme.example'],
    ['<"ann"@acme.example>', 'ann', 'acme.example'],
    ['<"a b\\"c\\\\d"@acme.example>', 'a b"c\\d', 'acme.example'],
    ['<"\\a\\n\\n"@acme.example>', 'ann', 'acme.example'],
    ["<!#$%&'*+-/=?^_`{|}~@acme.example>", "!#$%&'*+-/=?^_`{|}~", 'acme.example'],
    ['<user..name@mobile.example>', 'user..name', 'mobile.example'],
    ['<.ann.@acme.example>', '.ann.', 'acme.example'],
    ['<...@acme.example>', '...', 'acme.example'],
    ['<u@ac_me.example>', 'u', 'ac_me.example'],
    ['<u@-a.b-.Example>', 'u', '-a.b-.example'],
    ['<u@acme.example.>', 'u', 'acme.example'],
    ['<u@host.123>', 'u', 'host.123'],
    ['<u@localhost>', 'u', 'localhost'],
    ['<u@xn--bcher-kva.example>', 'u', 'xn--bcher-kva.example'],
    ['<u@[127.0.0.1]>', 'u', '[127.0.0.1]'],
    ['<u@[IPv6:2001:DB8:0:0::1]>', 'u', '[IPv6:2001:db8::1]'],
    ['<u@[ipv6:::ffff:127.0.0.1]>', 'u', '[IPv6:::ffff:7f00:1]'],
  ];
  for (const [text, localPart, domain] of cases) {
    assert.deepEqual(forward(text), { localPart, domain }, text);
    assert.deepEqual(reverse(text), { localPart, domain }, text);
  }
});

test('a source route is accepted and ignored', () => {
  assert.deepEqual(forward('<@a.example,@b.example:u@c.example>'), { localPart: 'u', domain: 'c.example' });
  assert.deepEqual(forward('<@[127.0.0.1]:u@c.example>'), { localPart: 'u', domain: 'c.example' });
  assert.deepEqual(reverse('<@a.example:u@c.example>'), { localPart: 'u', domain: 'c.example' });
});

test('the null reverse-path is a sender, not a recipient', () => {
  assert.equal(reverse('<>'), undefined);
  assert.throws(() => forward('<>'), SyntaxFailure);
});

test('postmaster needs no domain, but only as a recipient and only alone', () => {
  assert.deepEqual(forward('<postmaster>'), { localPart: 'postmaster', domain: '' });
  assert.deepEqual(forward('<PostMaster>'), { localPart: 'PostMaster', domain: '' });
  assert.deepEqual(forward('<postmaster@acme.example>'), { localPart: 'postmaster', domain: 'acme.example' });
  assert.deepEqual(forward('<postmasters@acme.example>'), { localPart: 'postmasters', domain: 'acme.example' });
  assert.throws(() => reverse('<postmaster>'), SyntaxFailure);
  assert.throws(() => forward('<abuse>'), SyntaxFailure);
});

test('the local part is opaque: what looks like a route in it is not one', () => {
  const cases: readonly [string, string][] = [
    ['<u%evil.example@acme.example>', 'u%evil.example@acme.example'],
    ['<evil.example!u@acme.example>', 'evil.example!u@acme.example'],
    ['<"u@evil.example"@acme.example>', 'u@evil.example@acme.example'],
    ['<"@evil.example:u"@acme.example>', '@evil.example:u@acme.example'],
  ];
  for (const [text, key] of cases) {
    const address = forward(text);
    assert.equal(address.domain, 'acme.example');
    assert.equal(addressKey(address), key);
  }
  assert.throws(() => forward('<u@evil.example@acme.example>'), SyntaxFailure);
});

test('what is no path is refused with the position', () => {
  const bad = [
    '',
    '<',
    'ann@acme.example>',
    '<ann@acme.example',
    'ann',
    'postmaster',
    'Ann <ann@acme.example>',
    '@a.example:ann@acme.example',
    '<ann>',
    '<ann@>',
    '<@acme.example>',
    '<""@acme.example>',
    '<a b@acme.example>',
    '<"a@acme.example>',
    '<"a\\"@acme.example>',
    '<"a\x00b"@acme.example>',
    '<"a\tb"@acme.example>',
    '<ann@.acme.example>',
    '<ann@acme..example>',
    '<ann@127.0.0.1>',
    '<ann@acme.example..>',
    '<ann@.>',
    '<ann@1.2>',
    '<ann@ac/me.example>',
    '<ann@[127.0.0.256]>',
    '<ann@[127.0.0.1>',
    '<ann@[IPv6:fe80::1%eth0]>',
    '<ann@[IPv6:12345::]>',
    '<ann@[x400:abc]>',
    '<\x85nn@acme.example>',
    '<ann@b\x85cher.example>',
    '<\ud800nn@acme.example>',
    `<${'\u00fc'.repeat(128)}@acme.example>`,
    `<${'a'.repeat(256)}@acme.example>`,
    `<ann@${'a'.repeat(64)}.example>`,
    `<ann@${'a.'.repeat(126)}example>`,
    '<@a.example,u@c.example>',
    '<@a.example:>',
    ' <ann@acme.example>',
    '<ann@acme.example >',
    '<ann@acme.example>x',
  ];
  for (const text of bad) assert.throws(() => forward(text), SyntaxFailure, text);
  assert.throws(
    () => forward('<ann@acme.example..>'),
    (error: SyntaxFailure) => error.offset === 5,
  );
});

test('a local part of 255 characters and a label of 63 are the longest', () => {
  assert.equal(forward(`<${'a'.repeat(255)}@acme.example>`).localPart.length, 255);
  assert.equal(forward(`<a@${'b'.repeat(63)}.example>`).domain.length, 71);
  assert.equal(isValidDomain(`${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(61)}`), true);
  assert.equal(isValidDomain(`${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(62)}`), false);
});

test('a local part beyond ASCII is in NFC, and compared in lower case', () => {
  const address = { localPart: 'Zo\u00eb.M\u00fcller', domain: 'xn--bcher-kva.example' };
  assert.deepEqual(parseAddress('Zoe\u0308.Mu\u0308ller@b\u00fccher.example'), address);
  assert.deepEqual(forward('<Zoe\u0308.M\u00fcller@b\u00fccher.example>'), address);

  assert.equal(addressKey(address), 'zo\u00eb.m\u00fcller@xn--bcher-kva.example');
  assert.equal(addressKey({ ...address, localPart: 'ZO\u00cb' }), 'zo\u00eb@xn--bcher-kva.example');
  assert.equal(formatAddress(address), 'Zo\u00eb.M\u00fcller@xn--bcher-kva.example');
  assert.equal(formatAddress({ ...address, localPart: 'Zo\u00eb M' }), '"Zo\u00eb M"@xn--bcher-kva.example');
  assert.deepEqual([isBeyondAscii(address), isBeyondAscii({ localPart: 'a', domain: 'b' })], [true, false]);
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), (localPart) => {
      const read = tryParseAddress(`${localPart}@acme.example`);
      if (read === undefined) return;
      assert.deepEqual(parseAddress(formatAddress(read)), read);
      const key = addressKey(read);
      assert.equal(addressKey({ ...read, localPart: key.slice(0, -'@acme.example'.length) }), key);
    }),
  );
});

test('a directory value may carry a domain beyond ASCII', () => {
  assert.deepEqual(parseAddress('ann@Bücher.example'), { localPart: 'ann', domain: 'xn--bcher-kva.example' });
  assert.deepEqual(parseAddress('ann@[127.0.0.1]'), { localPart: 'ann', domain: '[127.0.0.1]' });
  for (const text of ['ann@ü/x', 'ann@ü@x', 'ann@ü%41.example', 'ann@ü..example', 'ann@１２７.0.0.1']) {
    assert.throws(() => parseAddress(text), Failure, text);
    assert.equal(tryParseAddress(text), undefined);
  }
  for (const text of ['ann', '', '@', 'ann@', '<ann@acme.example>', 'Ann <ann@acme.example>', 'ann@acme.example '])
    assert.throws(() => parseAddress(text), Failure, text);
});

test('domains are normalized to lower-case A-labels', () => {
  assert.equal(normalizeDomain('ACME.Example'), 'acme.example');
  assert.equal(normalizeDomain('BÜCHER.example'), 'xn--bcher-kva.example');
  for (const text of ['', '.', 'a.', '.a', 'a b', 'a/b', 'a_b', '10.0.0.1', '1', '[127.0.0.1]', 'ü'.repeat(300)])
    assert.equal(normalizeDomain(text), undefined, text);
});

test('an address literal and its IP address belong together', () => {
  assert.equal(literalAddress(parseAddress('u@[127.0.0.1]').domain), '127.0.0.1');
  assert.equal(literalAddress(parseAddress('u@[IPv6:2001:db8::1]').domain), '2001:db8::1');
  assert.equal(literalAddress('acme.example'), undefined);
  assert.equal(formatAddressLiteral('192.0.2.1'), '[192.0.2.1]');
  assert.equal(formatAddressLiteral('::ffff:192.0.2.1'), '[192.0.2.1]');
  assert.equal(formatAddressLiteral('2001:db8::1'), '[IPv6:2001:db8::1]');
});

const anyLocalPart = fc
  .array(fc.integer({ min: 0x20, max: 0x7e }), { minLength: 1, maxLength: 64 })
  .map((codes) => String.fromCharCode(...codes));

test('property: what formatAddress writes, every parser reads back', () => {
  fc.assert(
    fc.property(
      anyLocalPart,
      fc.constantFrom('acme.example', 'x', '[127.0.0.1]', '[IPv6:::1]'),
      (localPart, domain) => {
        const address = { localPart, domain };
        assert.deepEqual(parseAddress(formatAddress(address)), address);
        assert.deepEqual(forward(`<${formatAddress(address)}>`), address);
        assert.deepEqual(reverse(`<@r.example:${formatAddress(address)}>`), address);
      },
    ),
  );
});

test('property: any text is an address or a Failure, whatever it is cut from', () => {
  const piece = fc.constantFrom(
    '<',
    '>',
    '@',
    ',',
    ':',
    '"',
    '\\',
    '[',
    ']',
    '.',
    'a',
    'IPv6:',
    'postmaster',
    ' ',
    '\x00',
    '\xff',
    'é',
    '1',
  );
  const text = fc.oneof(
    fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
    fc.string({ unit: 'binary-ascii' }),
  );
  fc.assert(
    fc.property(text, (line) => {
      for (const parse of [forward, reverse, parseAddress]) {
        try {
          parse(line);
        } catch (error) {
          assert.ok(error instanceof Failure, String(error));
        }
      }
    }),
    { numRuns: 200 },
  );
});

test('any text near an address is one that is written and read again as the same, or a Failure', () => {
  const seeds = [
    '<ann@acme.example>',
    '<@a.example,@b.example:"a\\"b c"@[IPv6:2001:db8::1]>',
    'Ann+x@B\u00fccher.example.',
  ];
  seeds.push('zo\u00eb@xn--bcher-kva.example', '<>', '<postmaster>', '"a b"@[192.0.2.1]', 'a%b!c@d_e.example');
  fc.assert(
    fc.property(mutatedText(seeds), (text) => {
      for (const parse of [forward, reverse, parseAddress]) {
        try {
          const address = parse(text);
          if (address === undefined || address.domain === '') continue;
          assert.deepEqual(parseAddress(formatAddress(address)), address);
          assert.deepEqual(reverse(`<${formatAddress(address)}>`), address);
        } catch (error) {
          assert.ok(error instanceof Failure, String(error));
        }
      }
    }),
    fuzzCases(1500),
  );
});
