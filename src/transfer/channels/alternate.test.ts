// IPv6 and IPv4 by turns, and only from where mail is to come from.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alternate } from './alternate.ts';

const orderOf = (addresses: readonly string[], sources: readonly string[] = []): string[] =>
  alternate(addresses, sources).map(({ address, source }) => (source === undefined ? address : `${address} ${source}`));

test('the families alternate, each in the order in which it was given', () => {
  assert.deepEqual(orderOf([]), []);
  assert.deepEqual(orderOf(['::1', '::2', '::3', '10.0.0.1', '10.0.0.2']), [
    '::1',
    '10.0.0.1',
    '::2',
    '10.0.0.2',
    '::3',
  ]);
  assert.deepEqual(orderOf(['10.0.0.1', '::1', '10.0.0.2']), ['10.0.0.1', '::1', '10.0.0.2']);
  assert.deepEqual(orderOf(['10.0.0.1', '10.0.0.2']), ['10.0.0.1', '10.0.0.2']);
});

test('an address of a family that mail is not to come from is not asked', () => {
  assert.deepEqual(orderOf(['::1', '10.0.0.1'], ['192.0.2.9']), ['10.0.0.1 192.0.2.9']);
  assert.deepEqual(orderOf(['::1', '10.0.0.1'], ['192.0.2.9', '2001:db8::9']), [
    '::1 2001:db8::9',
    '10.0.0.1 192.0.2.9',
  ]);
  assert.deepEqual(orderOf(['::1'], ['192.0.2.9']), []);
});
