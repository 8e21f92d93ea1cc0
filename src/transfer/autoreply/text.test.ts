// What a message says of languages, and which text that is.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzzCases, mutatedText } from '../../../test/support/nearly-right.ts';
import { chooseText, languagesOf } from './text.ts';

const texts = new Map([
  ['', 'any'],
  ['de', 'deutsch'],
  ['pt-br', 'brasileiro'],
]);

test('the best of what is wanted, with less of its tag as far as there is no text', () => {
  const chosen = (accept?: string, content?: string) => chooseText(texts, languagesOf(accept, content));
  assert.equal(chosen('fr, de-AT;q=0.5'), 'deutsch');
  assert.equal(chosen('de;q=0.1,PT-BR-x;q=0.9'), 'brasileiro');
  assert.equal(chosen('de;q=0', 'pt-BR'), 'brasileiro');
  assert.equal(chosen(), 'any');
  // Each of its parts would be looked up, which takes the square of its length.
  assert.deepEqual(languagesOf(`${'de-'.repeat(50_000)}, pt-br`, 'de-'.repeat(50_000)), ['pt-br']);
});

test('any text of languages chooses one that there is', () => {
  fc.assert(
    fc.property(mutatedText(['de-AT;q=0.5, pt-BR , *;q=0', 'x-y-z;q=1e9;a=b,,de']), (text) => {
      const languages = languagesOf(text, text);
      assert.ok(languages.length <= 40 && languages.every(({ length }) => length > 0 && length <= 100));
      assert.ok([...texts.values()].includes(chooseText(texts, languages)!));
    }),
    fuzzCases(1500),
  );
});
