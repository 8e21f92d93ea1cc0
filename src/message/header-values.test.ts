import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEADER_ADDRESSES_MAX } from '../base/limits.ts';
import { parseHeader } from './header.ts';
import { decodeHeader, EMPTY_HEADER, encodeHeader, type HeaderValues, readHeaderValues } from './header-values.ts';

function read(...lines: string[]): HeaderValues {
  return readHeaderValues(parseHeader(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')));
}

test('each field has its slot, whatever the order in which they come', () => {
  const values = read(
    'References: <1@x> <2@x>',
    'Message-ID: <3@x>',
    'In-Reply-To: <2@x>',
    'Bcc: bcc@x',
    'Cc: cc@x',
    'To: Team: "T. O." <to@x>;',
    'Reply-To: <@r:reply@x>',
    'Sender: sender@x',
    'From: J\xf6rg <from@x>',
    'Subject: a "b" \\c',
    'Date: today',
  );
  assert.deepEqual(values, [
    'today',
    'a "b" \\c',
    [['J\xf6rg', null, 'from', 'x']],
    [[null, null, 'sender', 'x']],
    [[null, '@r', 'reply', 'x']],
    [
      [null, null, 'Team', null],
      ['T. O.', null, 'to', 'x'],
      [null, null, null, null],
    ],
    [[null, null, 'cc', 'x']],
    [[null, null, 'bcc', 'x']],
    '<2@x>',
    '<3@x>',
    ['1@x', '2@x'],
  ]);
  assert.deepEqual(decodeHeader(encodeHeader(values)), values);
});

test('what is absent is null, what is there without a value is empty', () => {
  assert.deepEqual(read('X-Other: 1'), EMPTY_HEADER);
  const [, subject, from, , , , , , , messageId, references] = read(
    'Subject:',
    'From: ,',
    'Message-ID:',
    'References:',
  );
  assert.deepEqual({ subject, from, messageId, references }, { subject: '', from: [], messageId: '', references: [] });
});

test('To, Cc and Bcc that come twice are one list, each field read by itself', () => {
  const [, , from, , , to, cc, bcc] = read(
    'To: b@x',
    'From: a@x',
    'Cc: "unclosed <c@x>',
    'To: c@x, group: d@x',
    'Cc: d@x',
    'From: z@x',
    'TO:',
    'To: e@x',
  );
  assert.deepEqual(from, [[null, null, 'a', 'x']]);
  assert.deepEqual(to, [
    [null, null, 'b', 'x'],
    [null, null, 'c', 'x'],
    [null, null, 'group', null],
    [null, null, 'd', 'x'],
    [null, null, null, null],
    [null, null, 'e', 'x'],
  ]);
  assert.deepEqual(cc, [
    [null, null, 'unclosed <c@x>', ''],
    [null, null, 'd', 'x'],
  ]);
  assert.equal(bcc, null);
  const many = read(...Array.from({ length: 3 }, () => `To: ${'a@b,'.repeat(600)}`))[5]!;
  assert.equal(many.length, HEADER_ADDRESSES_MAX);
});

test('of another field that comes twice the first counts, also when it is empty', () => {
  assert.equal(read('Subject: one', 'Subject: two')[1], 'one');
  assert.equal(read('Subject:', 'Subject: two')[1], '');
});

test('stored values that are damaged are a plain error', () => {
  for (const text of ['', '{}', '[]', 'null', '(NIL)', '[1,2]']) assert.throws(() => decodeHeader(text), Error);
});
