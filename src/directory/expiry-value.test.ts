import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExpiry } from './expiry-value.ts';

const age = { does: 'age', isSeenOnly: false, over: 0 };
const DAY = 86_400_000;

test('values of waypostExpire, and what each says', () => {
  for (const [value, rule] of [
    ['Trash 30d', { folder: 'Trash', ...age, ageMs: 30 * DAY }],
    ['inbox 12h seen', { folder: 'INBOX', ...age, ageMs: DAY / 2, isSeenOnly: true }],
    ['Inbox/Old 2y over 5M', { folder: 'INBOX/Old', ...age, ageMs: 730 * DAY, over: 5 * 1024 ** 2 }],
    ['in/box 1d', { folder: 'in/box', ...age, ageMs: DAY }],
    ['inboxes 30s seen over 100KiB', { folder: 'inboxes', ...age, ageMs: 30_000, isSeenOnly: true, over: 102_400 }],
    ['* 1y over 1000', { folder: '*', ...age, ageMs: 365 * DAY, over: 1000 }],
    ['Deleted Items 30d', { folder: 'Deleted Items', ...age, ageMs: 30 * DAY }],
    ['Old 30d 7d', { folder: 'Old 30d', ...age, ageMs: 7 * DAY }],
    ['Lists/* COUNT 500', { folder: 'Lists/*', does: 'count', count: 500 }],
    ['Entwürfe never', { folder: 'Entwürfe', does: 'never' }],
    ['never never', { folder: 'never', does: 'never' }],
    ['x 99999y', { folder: 'x', ...age, ageMs: 99_999 * 365 * DAY }],
  ] as const)
    assert.deepEqual(parseExpiry(value), rule, value);
});

test('what is none', () => {
  for (const value of [
    ...['', 'Trash', '30d', 'never', 'Trash 30', 'Trash 30m', 'Trash 0d', 'Trash 0y', 'Trash count 0', 'Trash count'],
    ...['Trash 30d unseen', 'Trash 30d over', 'Trash 30d over 5T', 'Trash over 5M', 'Trash 1.5d', 'Trash -1d'],
    ...['Trash 100000y', 'Trash count 1000000000', 'Trash 30d over 5M seen', `${'x'.repeat(503)} 30d`],
  ])
    assert.equal(parseExpiry(value), undefined, value);
});
