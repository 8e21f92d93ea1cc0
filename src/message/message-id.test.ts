import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HEADER_REFERENCES_MAX } from '../base/limits.ts';
import { parseMessageId, parseReferences } from './message-id.ts';

test('the first id of a Message-ID field', () => {
  assert.equal(parseMessageId('(x) <1.2@x.example> <2@x>'), '1.2@x.example');
  assert.equal(parseMessageId('no-brackets@x'), 'no-brackets@x');
  assert.equal(parseMessageId('<>'), undefined);
  assert.equal(parseMessageId(`<${'x'.repeat(2000)}>`), undefined);
});

test('references are the ids in brackets, in their order', () => {
  const cases: readonly [value: string, ...ids: string[]][] = [
    [''],
    ['1@x 2@x'],
    ['<1@x> <2@x>', '1@x', '2@x'],
    ['<1@x><2@x>,<1@x>', '1@x', '2@x', '1@x'],
    ['<folded@ example> <with\ttab@x>', 'folded@example', 'withtab@x'],
    ['<never closed <1@x> <2@x', '1@x'],
    ['a>b <1@x> c> <2@x>', '1@x', '2@x'],
    ['<> < > <1@x>', '1@x'],
    ['Your message of Monday <1@x>', '1@x'],
    [`<${'x'.repeat(999)}> <1@x>`, '1@x'],
    ['<"quo ted"@x> <\xfc@x>', '"quoted"@x', '\xfc@x'],
  ];
  for (const [value, ...ids] of cases) assert.deepEqual(parseReferences(value), ids, value);
});

test('of too many references the root and the nearest ancestors stay', () => {
  const all = Array.from({ length: HEADER_REFERENCES_MAX + 50 }, (_, i) => `${i}@x`);
  const kept = parseReferences(all.map((id) => `<${id}>`).join(' '));
  assert.deepEqual(kept, ['0@x', ...all.slice(51)]);
});

test('a quarter of a million brackets are read once', () => {
  for (const piece of ['<', '>', '<>', '<a', 'a>', '<a>']) parseReferences(piece.repeat(250_000));
});
