// Base subjects as RFC 5256 §2.1 has them, against a reading of its grammar with regular expressions.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { baseSubject } from './base-subject.ts';
import { fold } from './unicode-casemap.ts';

/** The steps as they stand there. */
function naive(subject: string): { base: string; isReply: boolean } {
  let text = fold(subject).replace(/[ \t\r\n]+/g, ' ');
  let isReply = false;
  for (;;) {
    for (let before = ''; before !== text; ) {
      before = text;
      if (/\(FWD\)$/.test(text)) isReply = true;
      text = text.replace(/(\(FWD\)| )$/, '');
    }
    for (let before = ''; before !== text; ) {
      before = text;
      const leader = /^(?: |(?:\[[^[\]]*\] *)*(?:RE|FWD?) *(?:\[[^[\]]*\] *)?:)/.exec(text)?.[0];
      if (leader !== undefined) {
        if (leader !== ' ') isReply = true;
        text = text.slice(leader.length);
        continue;
      }
      const rest = text.replace(/^\[[^[\]]*\] */, '');
      if (rest !== '') text = rest;
    }
    const forward = /^\[FWD:(.*)\]$/s.exec(text);
    if (forward === null) return { base: text, isReply };
    isReply = true;
    text = forward[1]!;
  }
}

test('marks of replies, forwards and lists', () => {
  const cases: readonly [string, string, boolean][] = [
    ['Budget', 'BUDGET', false],
    ['Re: budget', 'BUDGET', true],
    ['RE[2]: Fwd:  [list] budget (fwd)', 'BUDGET', true],
    ['[list] budget', 'BUDGET', false],
    ['[list]', '[LIST]', false],
    ['[a] [b]', '[B]', false],
    ['[Fwd: [list] Re: budget]', 'BUDGET', true],
    ['Regards: x', 'REGARDS: X', false],
    ['=?utf-8?q?Re:_Gr=C3=BC=C3=9Fe?=', fold('grüße'), true],
    ['re :', '', true],
    ['', '', false],
    ['fw: fw:\tfw:', '', true],
  ];
  for (const [subject, base, isReply] of cases) assert.deepEqual(baseSubject(subject), { base, isReply }, subject);
});

test('any subject has the base that the grammar gives it', () => {
  const tokens = fc.array(
    fc.constantFrom('re', 'Fw', 'fwd', ':', '[', ']', ' ', '\t', '(fwd)', '[fwd:', 'x', '[list]', '', '('),
    { maxLength: 14 },
  );
  fc.assert(
    fc.property(tokens, (parts) => assert.deepEqual(baseSubject(parts.join('')), naive(parts.join('')))),
    { numRuns: 5000 },
  );
});

test('a subject made to be slow is not', () => {
  for (const text of ['[a]', '[', 're', '(fwd)', ' ', '[fwd:', 'fw [']) baseSubject(text.repeat(30_000));
});
