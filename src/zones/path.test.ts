import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { octetText } from '../wire/dns/name.ts';
import { nameOfPath, pathOf, pathsAbove, subtreeOf } from './path.ts';

type Labels = readonly Uint8Array[];

function nameOf(labels: Labels): string {
  return labels.length === 0 ? '.' : labels.map((label) => Array.from(label, octetText).join('')).join('.');
}

/** RFC 4034 §6.1 by its words: label by label from the top, each as octets, a name that ends first before the other. */
function canonicalOrder(a: Labels, b: Labels): number {
  for (let up = 1; up <= Math.min(a.length, b.length); up++) {
    const order = Buffer.compare(a.at(-up)!, b.at(-up)!);
    if (order !== 0) return order;
  }
  return Math.sign(a.length - b.length);
}

/** As SQLite compares the octets of two texts. */
function tableOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

// Octets at the borders come often: below, at and above the blank and the escape, signs, the highest.
const octet = fc
  .oneof(
    fc.constantFrom(
      0,
      1,
      0x1f,
      0x20,
      0x21,
      0x22,
      0x2d,
      0x2e,
      0x30,
      0x50,
      0x51,
      0x5c,
      0x61,
      0x62,
      0x7e,
      0x7f,
      0x80,
      0xff,
    ),
    fc.nat(0xff),
  )
  .filter((code) => code < 0x41 || code > 0x5a);
const label = fc.array(octet, { minLength: 1, maxLength: 4 }).map((octets) => Uint8Array.from(octets));
const labels = fc.array(label, { maxLength: 5 });

test('keys have the canonical order of their names', () => {
  // Names that share their upper labels, as those of a zone do.
  const pair = fc.tuple(labels, labels, fc.array(label, { maxLength: 2 }));
  fc.assert(
    fc.property(pair, ([a, b, apex]) => {
      const [first, second] = [
        [...a, ...apex],
        [...b, ...apex],
      ];
      const order = tableOrder(pathOf(nameOf(first)), pathOf(nameOf(second)));
      assert.equal(order, canonicalOrder(first, second), `${nameOf(first)} and ${nameOf(second)}`);
    }),
    { numRuns: 20_000 },
  );
});

test('a subtree is a range: what lies in it and nothing else', () => {
  const isBelow = (name: Labels, apex: Labels): boolean =>
    name.length >= apex.length && canonicalOrder(name.slice(name.length - apex.length), apex) === 0;
  fc.assert(
    fc.property(labels, labels, fc.boolean(), (some, apex, inside) => {
      const name = inside ? [...some, ...apex] : some;
      const path = pathOf(nameOf(name));
      const { from, to } = subtreeOf(pathOf(nameOf(apex)));
      const isInRange = name.length === 0 || (tableOrder(from, path) < 0 && tableOrder(path, to) < 0);
      assert.equal(isInRange, name.length === 0 || isBelow(name, apex), `${nameOf(name)} in ${nameOf(apex)}`);
    }),
    { numRuns: 20_000 },
  );
});

test('a name comes back from its key, and the keys above are those of its ancestors', () => {
  fc.assert(
    fc.property(labels, (name) => {
      const path = pathOf(nameOf(name));
      assert.equal(nameOfPath(path), nameOf(name));
      const above = name.slice(1).map((_, i) => pathOf(nameOf(name.slice(i + 1))));
      assert.deepEqual(pathsAbove(path), above);
    }),
  );
});

test('keys as they stand in the table', () => {
  assert.deepEqual(['acme.example', '.', 'a\\.b.example', '\\032\\000!.x'].map(pathOf), [
    ...['example acme ', '', 'example a.b ', 'x !P!0!Q '],
  ]);
  assert.throws(() => pathOf('a\\.b..example'));
});
