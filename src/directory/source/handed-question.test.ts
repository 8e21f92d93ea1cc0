// Questions that one server hands another: each comes as it went, and what is none is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SyntaxFailure } from '../../base/cursor.ts';
import type { AuthorityQuestion } from './authority.ts';
import { encodeQuestion, parseQuestion } from './handed-question.ts';

test('a question comes as it went', () => {
  const questions: readonly AuthorityQuestion[] = [
    { address: 'ann@corp.example' },
    { dn: 'uid=ann,dc=corp,dc=example' },
    { uid: 'ann', domain: 'corp.example' },
    {
      groupsOf: ['uid=ann,dc=corp,dc=example', 'ann@corp.example'],
      at: { dns: ['dc=corp,dc=example'], domains: ['corp.example'] },
    },
  ];
  for (const question of questions) {
    const asked = { name: 'ask', question, isKnown: true } as const;
    assert.deepEqual(parseQuestion(encodeQuestion(asked)), asked);
  }
});

test('what is no question is refused', () => {
  for (const question of [
    {},
    { groupsOf: 'x', at: { dns: [], domains: [] } },
    { groupsOf: [1] },
    { groupsOf: ['x'] },
  ]) {
    const octets = Buffer.from(JSON.stringify({ name: 'ask', question, isKnown: true }));
    assert.throws(() => parseQuestion(octets), SyntaxFailure, JSON.stringify(question));
  }
});
