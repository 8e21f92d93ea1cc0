import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from './address.ts';
import { formatPath, formatSender, parseSender } from './envelope.ts';

test('the null reverse-path is empty text in tables and <> in a path', () => {
  assert.equal(formatSender(undefined), '');
  assert.equal(parseSender(''), undefined);
  assert.equal(formatPath(undefined), '<>');
});

test('a sender is written and read back', () => {
  const sender = parseAddress('"a b"@acme.example');
  assert.equal(formatSender(sender), '"a b"@acme.example');
  assert.deepEqual(parseSender(formatSender(sender)), sender);
  assert.equal(formatPath(sender), '<"a b"@acme.example>');
});
