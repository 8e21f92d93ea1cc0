import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ListPattern } from './list-pattern.ts';

const table: readonly [pattern: string, matching: readonly string[], others: readonly string[]][] = [
  ['*', ['INBOX', 'a', 'a/b/c'], []],
  ['%', ['INBOX', 'a'], ['a/b']],
  ['a/%', ['a/b', 'a/bc'], ['a', 'a/b/c', 'b/c']],
  ['a/*', ['a/b', 'a/b/c'], ['a']],
  ['%/%', ['a/b'], ['a', 'a/b/c']],
  ['*%', ['a', 'a/b'], []],
  ['%*%', ['a', 'a/b'], []],
  ['a*c', ['ac', 'abc', 'a/b/c'], ['abcd', 'ab']],
  ['inbox', ['INBOX'], ['inbox', 'INBOX/x']],
  ['InBoX/%', ['INBOX/x'], ['INBOX', 'INBOX/x/y']],
  ['a', ['a'], ['A', 'ab', '']],
  ['&AOQ-', ['&AOQ-'], ['ä']],
];

for (const [pattern, matching, others] of table)
  test(`pattern ${pattern}`, () => {
    const wanted = new ListPattern(pattern);
    for (const name of matching) assert.equal(wanted.matches(name), true, name);
    for (const name of others) assert.equal(wanted.matches(name), false, name);
  });

/** By definition, however long it takes. */
function naive(pattern: string, name: string): boolean {
  if (pattern === '') return name === '';
  const rest = pattern.slice(1);
  if (pattern[0] !== '*' && pattern[0] !== '%') return name[0] === pattern[0] && naive(rest, name.slice(1));
  for (let taken = 0; taken <= name.length; taken++) {
    if (pattern[0] === '%' && name.slice(0, taken).includes('/')) return false;
    if (naive(rest, name.slice(taken))) return true;
  }
  return false;
}

test('any pattern matches as its definition says', () => {
  const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '%'), maxLength: 8 });
  const names = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 8 });
  fc.assert(
    fc.property(patterns, names, (pattern, name) => {
      assert.equal(new ListPattern(pattern).matches(name), naive(pattern, name));
    }),
    { numRuns: 2000 },
  );
});

test('the worst pattern costs its length times that of the name', () => {
  const name = 'a'.repeat(500);
  assert.equal(new ListPattern(`${'%a*a'.repeat(200)}b`).matches(name), false);
  assert.equal(new ListPattern('%*'.repeat(30_000)).matches(name), true);
  assert.equal(new ListPattern('a'.repeat(60_000)).matches(name), false);
});
