import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SyntaxFailure } from '../../base/cursor.ts';
import { LDAP_MESSAGE_BYTES } from '../../base/limits.ts';
import { BerWriter, SEQUENCE } from './ber.ts';
import { LdapFramer } from './framer.ts';

function message(size: number, fill = 'z'): Buffer {
  const writer = new BerWriter();
  writer.constructed(SEQUENCE, () => writer.octets(fill.repeat(size)));
  return writer.take();
}

/** Everything the framer gives out for these chunks. */
function framed(chunks: Iterable<Buffer>, limit = LDAP_MESSAGE_BYTES): Buffer[] {
  const framer = new LdapFramer(limit);
  const messages: Buffer[] = [];
  for (const chunk of chunks) {
    framer.push(chunk);
    for (let next = framer.next(); next !== undefined; next = framer.next()) messages.push(next);
  }
  return messages;
}

test('a message is the same wherever the stream is split', () => {
  const first = message(3, 'a');
  const second = message(200, 'b');
  const third = message(0);
  const stream = Buffer.concat([first, second, third]);
  for (let at = 0; at <= stream.length; at++)
    assert.deepEqual(framed([stream.subarray(0, at), stream.subarray(at)]), [first, second, third]);
  assert.deepEqual(framed([...stream].map((octet) => Buffer.of(octet))), [first, second, third]);
});

test('many messages in chunks of any size come out in order, and earlier ones stay as they were', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat({ max: 700 }), { maxLength: 20 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 900 })),
      (sizes, chunkSizes) => {
        const messages = sizes.map((size, index) => message(size, String.fromCharCode(97 + (index % 26))));
        const stream = Buffer.concat(messages);
        const chunks: Buffer[] = [];
        for (let at = 0; at < stream.length; ) {
          const size = chunkSizes.next().value!;
          chunks.push(Buffer.from(stream.subarray(at, at + size)));
          at += size;
        }
        assert.deepEqual(framed(chunks), messages);
      },
    ),
  );
});

test('chunks may come while whole messages still wait', () => {
  const framer = new LdapFramer(1000);
  const messages = [message(5, 'a'), message(6, 'b'), message(7, 'c'), message(8, 'd')];
  framer.push(Buffer.concat(messages.slice(0, 2)));
  assert.deepEqual(framer.next(), messages[0]);
  framer.push(messages[2]!);
  framer.push(messages[3]!);
  assert.deepEqual([framer.next(), framer.next(), framer.next(), framer.next()], [...messages.slice(1), undefined]);
  assert.equal(framer.pending, 0);
});

test('a message over the limit is refused from its header, one at the limit is not', () => {
  const atLimit = message(100);
  assert.deepEqual(framed([atLimit], atLimit.length), [atLimit]);
  const framer = new LdapFramer(atLimit.length - 1);
  framer.push(atLimit.subarray(0, 2));
  assert.throws(() => framer.next(), SyntaxFailure);
});

test('a length that lies costs no memory', () => {
  const before = process.memoryUsage();
  for (const header of ['3084 7fffffff', '3084 ffffffff', '3083 ffffff']) {
    const framer = new LdapFramer(LDAP_MESSAGE_BYTES);
    framer.push(Buffer.from(header.replace(' ', ''), 'hex'));
    assert.throws(() => framer.next(), SyntaxFailure);
  }
  const framers = Array.from({ length: 500 }, () => {
    const framer = new LdapFramer(LDAP_MESSAGE_BYTES);
    framer.push(Buffer.from('30831ffff00201', 'hex'));
    framer.push(Buffer.from('01', 'hex'));
    assert.equal(framer.next(), undefined);
    return framer;
  });
  const after = process.memoryUsage();
  assert.ok(after.arrayBuffers - before.arrayBuffers < 8 * 1024 * 1024);
  assert.equal(framers[0]!.pending, 8);
});

test('what is no message, or has no definite length, is refused at once', () => {
  for (const hex of ['474554', '3080', '3085', '30ff', '16'])
    assert.throws(() => framed([Buffer.from(hex, 'hex')]), SyntaxFailure, hex);
});
