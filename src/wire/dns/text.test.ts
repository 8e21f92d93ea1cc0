import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rdataText, recordText } from './text.ts';

test('records are lines of a zone file', () => {
  const owner = { name: 'acme.example', class: 1, ttl: 300 } as const;
  assert.equal(recordText({ ...owner, type: 'MX', preference: 0, exchange: '.' }), 'acme.example. 300 IN MX 0 .');
  assert.equal(recordText({ ...owner, type: 'A', address: '192.0.2.1' }), 'acme.example. 300 IN A 192.0.2.1');
  assert.equal(rdataText({ type: 'TXT', strings: ['v=spf1 mx; "-all"', '\xff'] }), '"v=spf1 mx; \\"-all\\"" "\\255"');
  assert.equal(rdataText({ type: 'TYPE65280', data: Uint8Array.from([0, 255]) }), '\\# 2 00ff');
  assert.equal(rdataText({ type: 'TYPE65280', data: new Uint8Array() }), '\\# 0');
  const srv = { type: 'SRV', priority: 0, weight: 1, port: 465, target: 'mail.acme.example' } as const;
  assert.equal(rdataText(srv), '0 1 465 mail.acme.example.');
  assert.equal(rdataText({ type: 'CAA', flags: 128, tag: 'issue', value: 'a; b="c"' }), '128 issue "a; b=\\"c\\""');
  const tlsa = { type: 'TLSA', usage: 3, selector: 1, matching: 1, data: Uint8Array.of(0, 255) } as const;
  assert.equal(rdataText(tlsa), '3 1 1 00ff');
});
