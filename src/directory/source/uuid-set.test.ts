// The set of UUIDs is like a naive one of their texts.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { UuidSet } from './uuid-set.ts';

const MANY = 20_000;
const ZEROS = '00000000-0000-0000-0000-000000000000';

test('what was added is there, in either case, and nothing else', () => {
  const set = new UuidSet();
  const added = Array.from({ length: MANY }, () => randomUUID() as string);
  // One after another, as servers make them by time.
  for (let i = 1; i < MANY; i++) added.push(`${i.toString(16).padStart(8, '0')}-5f6a-103f-8d6e-0123456789ab`);
  for (const uuid of [...added, ...added, ZEROS, 'no UUID', '']) set.add(uuid);
  for (const uuid of [...added, ZEROS, 'no UUID', '']) assert.ok(set.has(uuid), uuid);
  for (const uuid of added) assert.ok(set.has(uuid.toUpperCase()));
  const others = Array.from({ length: MANY }, () => randomUUID() as string);
  for (const uuid of [...others, 'No UUID', ' ', `${ZEROS}0`, added[0]!.replaceAll('-', '+')])
    assert.ok(!set.has(uuid), uuid);
  // A word of it is another.
  for (const at of [0, 9, 14, 19, 24, 35]) {
    const uuid = added[0]!;
    const digit = uuid[at] === '0' ? '1' : '0';
    assert.ok(!set.has(uuid.slice(0, at) + digit + uuid.slice(at + 1)));
  }
});
