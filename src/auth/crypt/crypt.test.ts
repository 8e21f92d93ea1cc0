// The methods of crypt(3) beside the values of their authors, and beside the system's own crypt.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { bcryptText } from './bcrypt.ts';
import { md5Crypt } from './md5-crypt.ts';
import { readCrypt } from './setting.ts';
import { shaCrypt } from './sha-crypt.ts';

/** Of the specification of SHA-crypt, of the tests of bcrypt, and of libxcrypt. */
const VALUES: readonly [password: string, value: string][] = [
  ['Hello world!', '$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5'],
  ['Hello world!', '$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA'],
  ['This is just a test', '$5$rounds=5000$toolongsaltstrin$Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5'],
  [
    'a very much longer text to encrypt.  This one even stretches over morethan one line.',
    '$5$rounds=1400$anotherlongsalts$Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1',
  ],
  [
    'we have a short salt string but not a short password',
    '$5$rounds=77777$short$JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/',
  ],
  ['a short string', '$5$rounds=123456$asaltof16chars..$gP3VQ/6X7UUEW3HkBn2w1/Ptq2jxPyzV/cZKmF/wJvD'],
  [
    'Hello world!',
    '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
  ],
  [
    'Hello world!',
    '$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.',
  ],
  [
    'This is just a test',
    '$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0',
  ],
  [
    'a very much longer text to encrypt.  This one even stretches over morethan one line.',
    '$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1',
  ],
  [
    'we have a short salt string but not a short password',
    '$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0',
  ],
  [
    'a short string',
    '$6$rounds=123456$asaltof16chars..$BtCwjqMJGx5hrJhZywWvt0RLE8uZ4oPwcelCjmw2kSYu.Ec6ycULevoBK25fs2xXgMNrCzIMVcgEJAstJeonj1',
  ],
  ['', '$2b$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.'],
  ['abc', '$2b$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i'],
  ['~!@#$%^&*()      ~!@#$%^&*()PNBFRD', '$2b$06$fPIsBO8qRqkjj273rfaOI.HtSV9jLDpTbZn782DC6/t7qT67P6FfO'],
  ['x'.repeat(80), '$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i'],
  ['password', '$1$12345678$o2n/JiO/h5VviOInWJ4OQ/'],
  ['a longer one than sixteen octets', '$1$s$L05t8hc669u9EgLJpAvHk.'],
];

function hashed(password: Buffer, value: string): string | undefined {
  const { setting } = readCrypt(value)!;
  if (setting.method === 'md5') return md5Crypt(password, setting.salt);
  return setting.method === 'sha' ? shaCrypt(password, setting) : bcryptText(password, setting.setting);
}

for (const [password, value] of VALUES)
  test(`${value.slice(0, 30)} is made of its password`, () => {
    assert.equal(hashed(Buffer.from(password), value), readCrypt(value)!.hash);
  });

const CRYPT =
  'import sys, crypt\nfor line in sys.stdin:\n a = line.split()\n print(crypt.crypt(bytes.fromhex(a[1]).decode(), a[0]))';
const python = spawnSync('python3', ['-W', 'ignore', '-c', CRYPT], { input: '$1$x 61\n' });
const skip = python.status !== 0 && "Python's crypt is not here";

test('any password has the hash that the system gives it', { skip }, () => {
  const setting = fc.oneof(
    fc.stringMatching(/^\$1\$[./0-9A-Za-z]{1,8}\$$/),
    fc.stringMatching(/^\$[56]\$rounds=1\d\d\d\$[./0-9A-Za-z]{1,16}\$$/),
    fc.stringMatching(/^\$2[aby]\$04\$[./0-9A-Za-z]{21}[.Oeu]$/),
  );
  const password = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 100 }).filter((text) => !text.includes('\0'));
  const pairs = fc.sample(
    fc.tuple(
      setting,
      password.filter((text) => text.isWellFormed()),
    ),
    120,
  );
  const input = pairs.map(([of, text]) => `${of} ${Buffer.from(text).toString('hex')}\n`).join('');
  const { stdout } = spawnSync('python3', ['-W', 'ignore', '-c', CRYPT], { input, encoding: 'utf8' });
  const values = stdout.trim().split('\n');
  assert.equal(values.length, pairs.length);
  for (const [at, [, text]] of pairs.entries())
    assert.equal(hashed(Buffer.from(text), values[at]!), readCrypt(values[at]!)!.hash, values[at]!);
});
