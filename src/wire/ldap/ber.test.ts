import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SyntaxFailure } from '../../base/cursor.ts';
import { BerReader, BerWriter, context, ENUMERATED, SEQUENCE } from './ber.ts';

function written(write: (writer: BerWriter) => void): Buffer {
  const writer = new BerWriter();
  write(writer);
  return writer.take();
}

function reader(hex: string): BerReader {
  return new BerReader(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
}

test('numbers take as few octets as they need and come back', () => {
  const pairs: readonly [number, string][] = [
    [0, '020100'],
    [1, '020101'],
    [127, '02017f'],
    [128, '02020080'],
    [256, '02020100'],
    [-1, '0201ff'],
    [-128, '020180'],
    [-129, '0202ff7f'],
    [2147483647, '02047fffffff'],
    [-2147483648, '020480000000'],
  ];
  for (const [value, hex] of pairs) {
    assert.equal(written((writer) => writer.integer(value)).toString('hex'), hex);
    assert.equal(reader(hex).integer(), value);
  }
});

test('values, text or not, come back as they were, whatever their length', () => {
  const lengths = [0, 1, 127, 128, 255, 256, 65535, 65536, 70_000];
  for (const length of lengths) {
    const text = 'x'.repeat(length);
    const bytes = written((writer) => writer.constructed(SEQUENCE, () => writer.octets(text)));
    const contents = new BerReader(bytes).enter(SEQUENCE);
    assert.equal(contents.value(), text);
    contents.end();
  }
  const octets = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(octets, (value) => {
      const back = new BerReader(written((writer) => writer.octets(value))).value();
      assert.deepEqual(Buffer.from(back as string), Buffer.from(value));
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (value) => {
      assert.equal(new BerReader(written((writer) => writer.octets(value))).value(), value);
    }),
  );
});

test('nested elements of every size have minimal lengths and true ones', () => {
  for (const size of [0, 100, 125, 126, 127, 250, 252, 300, 65530, 70_000]) {
    const bytes = written((writer) =>
      writer.constructed(SEQUENCE, () =>
        writer.constructed(0xa1, () => {
          writer.octets('y'.repeat(size), context(2));
          writer.boolean(true);
        }),
      ),
    );
    const outer = new BerReader(bytes);
    const inner = outer.enter(SEQUENCE).enter(0xa1);
    outer.end();
    assert.equal(inner.text(context(2)).length, size);
    assert.equal(inner.boolean(), true);
    inner.end();
  }
});

test('a length need not be minimal', () => {
  for (const hex of ['04 01 61', '04 81 01 61', '04 82 00 01 61', '04 84 00 00 00 01 61'])
    assert.equal(reader(hex).text(), 'a');
});

test('what lies is a syntax failure', () => {
  const lies: readonly [string, (reader: BerReader) => unknown][] = [
    ['', (r) => r.octets()],
    ['04', (r) => r.octets()],
    ['04 01', (r) => r.octets()],
    ['04 80 00 00', (r) => r.octets()],
    ['04 81', (r) => r.octets()],
    ['04 84 ff ff ff', (r) => r.octets()],
    ['04 84 ff ff ff ff 61', (r) => r.octets()],
    ['04 85 00 00 00 00 01 61', (r) => r.octets()],
    ['04 fe 61', (r) => r.octets()],
    ['24 03 04 01 61', (r) => r.octets()],
    ['02 00', (r) => r.integer()],
    ['02 05 00 00 00 00 01', (r) => r.integer()],
    ['02 01 ff', (r) => r.unsigned()],
    ['02 04 80 00 00 00', (r) => r.unsigned()],
    ['0a 00', (r) => r.integer(ENUMERATED)],
    ['01 00', (r) => r.boolean()],
    ['01 02 ff ff', (r) => r.boolean()],
    ['04 02 c3 28', (r) => r.text()],
    ['30 03 04 05 61', (r) => r.enter(SEQUENCE).octets()],
    ['1f 81 01 00', (r) => r.skipRest()],
    ['04 01 61 05', (r) => r.skipRest()],
    ['04 01 61', (r) => r.end()],
  ];
  for (const [hex, read] of lies) assert.throws(() => read(reader(hex)), SyntaxFailure, hex);
});
