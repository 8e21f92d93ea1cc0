import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SyntaxFailure } from '../../base/cursor.ts';
import { DnsReader, DnsWriter } from './buffer.ts';
import { isSubdomain, nameOctets, parentName, parseName, ROOT } from './name.ts';

/** Twelve octets stand before the first name of a message. */
function readName(octets: readonly number[], at = 12): { name: string; offset: number } {
  const reader = new DnsReader(Uint8Array.from([...new Array(12).fill(0), ...octets]), at);
  return { name: reader.name(), offset: reader.offset };
}

const label = fc.uint8Array({ minLength: 1, maxLength: 63 });
const labels = fc
  .array(label, { maxLength: 8 })
  .filter((all) => all.reduce((sum, one) => sum + one.length + 1, 1) <= 255);

test('any octets of a name have one text, which gives the octets back', () => {
  fc.assert(
    fc.property(labels, (all) => {
      const octets = all.flatMap((one) => [one.length, ...one]);
      const { name } = readName([...octets, 0]);
      assert.deepEqual(nameOctets(name), octets);
      assert.equal(parseName(name), name);
      if (name !== ROOT) assert.equal(parseName(`${name}.`), name);
    }),
  );
});

test('the parent of a name is what stands behind its first label, whatever is in the label', () => {
  fc.assert(
    fc.property(labels, (all) => {
      const text = (some: Uint8Array[]) => readName([...some.flatMap((one) => [one.length, ...one]), 0]).name;
      assert.equal(parentName(text(all)), all.length === 0 ? undefined : text(all.slice(1)));
    }),
  );
});

test('octets that mean something in a zone file are escaped', () => {
  assert.equal(readName([5, 0x61, 0x2e, 0x5c, 0x22, 0x00, 1, 0x62, 0]).name, 'a\\.\\\\\\"\\000.b');
  assert.equal(readName([3, 0x41, 0x20, 0xff, 0]).name, 'A\\032\\255');
  assert.equal(readName([0]).name, '.');
});

test('texts that are no names are refused', () => {
  for (const text of [
    '',
    '..',
    'a..b',
    '.a',
    'a\\',
    'a\\25',
    'a\\256',
    'é.example',
    `${'a'.repeat(64)}.example`,
    `${'a.'.repeat(127)}aa`,
  ]) {
    assert.throws(() => nameOctets(text), SyntaxFailure, text);
  }
  assert.equal(nameOctets('a.'.repeat(126).concat('a')).length, 254);
});

test('a name lies at or below another by whole labels', () => {
  assert.ok(isSubdomain('a.acme.example', 'acme.example'));
  assert.ok(isSubdomain('acme.example', 'acme.example'));
  assert.ok(isSubdomain('acme.example', ROOT));
  assert.ok(!isSubdomain('notacme.example', 'acme.example'));
  assert.ok(!isSubdomain('a\\.acme.example', 'acme.example'));
});

test('pointers lead backwards only, and never into the header', () => {
  assert.deepEqual(readName([1, 0x61, 0, 1, 0x62, 0xc0, 12], 15), { name: 'b.a', offset: 19 });
  const hostile: Record<string, [readonly number[], number]> = {
    'to itself': [[0xc0, 12], 12],
    'to its own first label': [[1, 0x61, 0xc0, 12], 12],
    forward: [[0xc0, 14, 1, 0x61, 0], 12],
    'to each other': [[0xc0, 14, 0xc0, 12], 14],
    'into the header': [[0xc0, 0], 12],
    'beyond the end': [[0xff, 0xff], 12],
    'cut short': [[0xc0], 12],
    'label type 01': [[0x41, 0x61, 0], 12],
    'label type 10': [[0x81, 0x61, 0], 12],
    'a label that lies': [[63, 0x61], 12],
    'no end': [[1, 0x61], 12],
  };
  for (const [what, [octets, at]] of Object.entries(hostile)) {
    assert.throws(() => readName(octets, at), SyntaxFailure, what);
  }
});

test('a name that grows beyond 255 octets through pointers is refused', () => {
  const half = [...new Array(2)].flatMap(() => [60, ...new Array(60).fill(0x61)]);
  const first = [...half, 0];
  assert.throws(
    () => readName([...first, ...half, 3, 1, 1, 1, 3, 1, 1, 1, 3, 1, 1, 1, 0xc0, 12], 12 + first.length),
    SyntaxFailure,
  );
});

test('names are compressed exactly, so that the case of each comes back', () => {
  const writer = new DnsWriter();
  writer.octets(new Uint8Array(12));
  const names = ['acme.example', 'MX.acme.example', 'ACME.example', 'acme.example', ROOT];
  for (const name of names) writer.name(name);
  const reader = new DnsReader(writer.finish(), 12);
  assert.deepEqual(
    names.map(() => reader.name()),
    names,
  );
  assert.equal(reader.offset, 12 + 14 + 3 + 2 + 5 + 2 + 2 + 1);
});

test('a name that begins where no pointer leads is written whole again', () => {
  const last = 0x3fff;
  for (const [at, length] of [
    [last, 2],
    [last + 1, 'acme'.length + 2],
  ] as const) {
    const writer = new DnsWriter();
    writer.octets(new Uint8Array(at));
    writer.name('acme');
    const second = writer.offset;
    writer.name('acme');
    assert.equal(writer.offset - second, length);
    assert.equal(new DnsReader(writer.finish(), second).name(), 'acme');
  }
});
