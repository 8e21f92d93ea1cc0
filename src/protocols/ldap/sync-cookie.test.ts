import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedOctets } from '../../../test/support/nearly-right.ts';
import { formatCsn } from '../../directory/csn.ts';
import { parseSyncCookie } from './sync-cookie.ts';

const octets = (text: string): Uint8Array => Buffer.from(text);

test('a cookie says whose it is and what is known there', () => {
  const csn = '20261126095000.123000Z#000001#000#000005';
  const position = { revision: 2 ** 24 + 5, at: Date.UTC(2026, 10, 26, 9, 50, 0, 123) };
  assert.deepEqual(parseSyncCookie(octets(`rid=001,csn=${csn}`)), { rid: '001', position });
  assert.deepEqual(parseSyncCookie(octets('rid=042')), { rid: '042', position: undefined });
  assert.deepEqual(parseSyncCookie(undefined), { rid: '000', position: undefined });
  assert.deepEqual(parseSyncCookie(octets('')), { rid: '000', position: undefined });
  assert.deepEqual(parseSyncCookie(octets('rid=001,csn=20261126095000.123000Z#000001#007#000005')), {
    rid: '001',
    position: 'unknown',
  });
  assert.equal(parseSyncCookie(octets('hello')).position, 'unknown');
});

test('any octets are a cookie: of a position of ours, of none, or of one that says nothing here', () => {
  const parts = fc.constantFrom(
    'rid=',
    '001',
    ',',
    'csn=',
    ';',
    '20261126095000.123000Z',
    '#',
    '000005',
    '000',
    'sid=',
    'z',
    '\u00e9',
  );
  const made = fc.array(parts, { maxLength: 20 }).map((all) => octets(all.join('')));
  const mutated = mutatedOctets([
    'rid=001,csn=20261126095000.123000Z#000001#000#000005',
    'rid=002,sid=001,csn=20261126095000.123000Z#000001#001#000005;20261126095000.123000Z#00000a#000#000005',
  ]);
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 1200 }), made, mutated), (cookie) => {
      const { rid, position } = parseSyncCookie(cookie);
      assert.match(rid, /^\d{3}$/);
      if (position === undefined || position === 'unknown') return;
      assert.ok(Number.isSafeInteger(position.revision) && Number.isFinite(position.at));
      const text = Buffer.from(cookie).toString('latin1');
      // A date that is none becomes another: no revision of the log was made then under this text.
      const csns = text
        .split(',')
        .flatMap((part) => (part.startsWith('csn=') ? part.slice('csn='.length).split(';') : []));
      const csn = csns.find((each) => /^\d{14}\.\d{3}000Z#[0-9a-f]{6}#000#[0-9a-f]{6}$/.test(each));
      assert.ok(csn?.endsWith(formatCsn(position.revision, 0).slice('19700101000000.000000Z'.length)), text);
    }),
    fuzzCases(3000),
  );
});
