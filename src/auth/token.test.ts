import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashOfToken, isToken, newToken } from './token.ts';

test('a token is wp_ and 160 bits in base32, another one each time', () => {
  const tokens = Array.from({ length: 200 }, newToken);
  for (const token of tokens) {
    assert.match(token, /^wp_[a-z2-7]{32}$/);
    assert.equal(isToken(Buffer.from(token)), true);
    assert.equal(hashOfToken(token), createHash('sha256').update(token).digest('hex'));
    assert.equal(hashOfToken(Buffer.from(token)), hashOfToken(token));
  }
  assert.equal(new Set(tokens).size, tokens.length);
  // Each digit takes each value: none of the bits is always the same.
  for (let at = 3; at < 35; at++) assert.ok(new Set(tokens.map((token) => token[at])).size > 16, `digit ${at}`);
});

test('the form is looked at octet by octet, and by nothing else', () => {
  const near = fc
    .array(fc.constantFrom(...Buffer.from('wp_az27189AZ`{/: ')), { minLength: 30, maxLength: 40 })
    .map((tail) => Buffer.concat([Buffer.from('wp_'), Buffer.from(tail)]));
  const any = fc.uint8Array({ minLength: 30, maxLength: 40 }).map((octets) => Buffer.from(octets));
  const form = (octets: Buffer) => /^wp_[a-z2-7]{32}$/.test(octets.toString('latin1')) && !octets.includes(10);
  fc.assert(fc.property(fc.oneof(near, any), (octets) => isToken(octets) === form(octets)));
});
