// Who asks, as a request says it: by a token, by a password, or not at all.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedOctets } from '../../../test/support/nearly-right.ts';
import { credentialsIn } from './authorization.ts';

const basic = (text: string | Buffer) => `Basic ${Buffer.from(text).toString('base64')}`;

test('a token, or a name and a password, which may have colons; the scheme in any case', () => {
  assert.deepEqual(credentialsIn('bEaReR  wp_x '), { token: 'wp_x' });
  const given = credentialsIn(basic('ann@acme.example:a:b'));
  assert.deepEqual(given, { name: 'ann@acme.example', password: Buffer.from('a:b') });
  assert.deepEqual(credentialsIn(`basic ${Buffer.from('a:').toString('base64')}`), {
    name: 'a',
    password: Buffer.alloc(0),
  });
  assert.deepEqual(credentialsIn('Basic YTpi'), { name: 'a', password: Buffer.from('b') });
  assert.deepEqual(credentialsIn('Basic YTpiYw'), { name: 'a', password: Buffer.from('bc') });
});

test('what says nobody', () => {
  const none = [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Basic ',
    'Digest x',
    basic('ann'),
    basic(':b'),
    'Basic YTpi!',
    'YTpi',
  ];
  for (const header of [...none, basic(Buffer.from('zo\xeb:b', 'latin1')), 'Basic YTpiYw====', 'Basic YT pi'])
    assert.equal(credentialsIn(header), undefined, String(header));
});

test('any value is a token, a name and a password that were written there, or nobody', () => {
  const seeds = [basic('ann@acme.example:s\u00e9cret'), basic('a:'), 'Bearer wp_0123456789abcdef', 'basic YTpiYw'];
  fc.assert(
    fc.property(mutatedOctets(seeds), (octets) => {
      // As Node gives it: an octet a character.
      const header = octets.toString('latin1');
      const given = credentialsIn(header);
      if (given === undefined) return;
      const text = header.slice(header.indexOf(' ')).trim();
      if ('token' in given) return assert.equal(given.token, text);
      const written = Buffer.concat([Buffer.from(`${given.name}:`), given.password]).toString('base64');
      assert.ok(given.name !== '' && !given.name.includes(':'));
      assert.equal(text.replace(/=+$/, ''), written.replace(/=+$/, ''));
    }),
    fuzzCases(2000),
  );
});
