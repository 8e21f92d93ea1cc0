import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { COOKIE_BYTES, Cookies, isCookieLength } from './cookies.ts';

const CLIENT = Buffer.from('2464c4abcf10c957', 'hex');
const SECRET = Buffer.alloc(32, 7);
const AT = 1_800_000_000;

function cookies(seconds = AT): Cookies {
  return new Cookies(SECRET, () => seconds * 1000);
}

test('layout: the client’s part, version 1, three zero octets, seconds, eight octets of the hash', () => {
  const { data, isOurs } = cookies().check(CLIENT, '192.0.2.7');
  assert.equal(isOurs, false);
  const time = Buffer.alloc(4);
  time.writeUInt32BE(AT);
  const signed = Buffer.concat([CLIENT, Buffer.from([1, 0, 0, 0]), time]);
  const hash = createHmac('sha256', SECRET).update(signed).update('192.0.2.7').digest().subarray(0, 8);
  assert.deepEqual(Buffer.from(data), Buffer.concat([signed, hash]));
  assert.equal(data.length, COOKIE_BYTES);
});

test('ours is good for this address, for an hour, and for five minutes from a clock ahead', () => {
  const given = cookies().check(CLIENT, '192.0.2.7').data;
  const isOurs = (seconds: number, address = '192.0.2.7', cookie: Uint8Array = given) =>
    cookies(seconds).check(cookie, address).isOurs;
  for (const [seconds, good] of [
    [AT, true],
    [AT + 3600, true],
    [AT + 3601, false],
    [AT - 300, true],
    [AT - 301, false],
  ] as const)
    assert.equal(isOurs(seconds), good, String(seconds - AT));
  assert.equal(isOurs(AT, '192.0.2.8'), false);
  for (let at = 0; at < given.length; at++) {
    const other = Uint8Array.from(given);
    other[at]! ^= 1;
    assert.equal(isOurs(AT, '192.0.2.7', other), false, `octet ${at}`);
  }
  assert.equal(new Cookies(Buffer.alloc(32, 8), () => AT * 1000).check(given, '192.0.2.7').isOurs, false);
  for (const length of [8, 16, 23, 32, 40]) {
    const other = Buffer.alloc(length, 1);
    other.set(given.subarray(0, length));
    assert.equal(isOurs(AT, '192.0.2.7', other), false);
  }
});

test('lengths: eight octets alone, or with eight to thirty-two behind them', () => {
  const good = Array.from({ length: 50 }, (_, length) => length).filter(isCookieLength);
  assert.deepEqual(good, [8, ...Array.from({ length: 25 }, (_, i) => 16 + i)]);
});
