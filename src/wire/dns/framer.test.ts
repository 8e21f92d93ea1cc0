import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type DnsFrame, DnsFramer } from './framer.ts';

/** All frames, with the stream cut into pieces of these sizes, over and over. */
function frames(stream: Buffer, sizes: readonly number[], maxBytes: number): DnsFrame[] {
  const framer = new DnsFramer();
  const all: DnsFrame[] = [];
  for (let at = 0, i = 0; at < stream.length; i++) {
    const size = sizes[i % sizes.length]!;
    framer.push(stream.subarray(at, at + size));
    at += size;
    for (let frame = framer.next(maxBytes); frame !== undefined; frame = framer.next(maxBytes)) all.push(frame);
  }
  return all;
}

function framed(message: Uint8Array): Buffer {
  const octets = Buffer.alloc(2 + message.length);
  octets.writeUInt16BE(message.length);
  octets.set(message, 2);
  return octets;
}

test('messages come out as they were sent, wherever the stream is cut; the beginning of one is none', () => {
  const message = fc.uint8Array({ maxLength: 300 });
  const sizes = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), fc.uint8Array({ minLength: 1 }), sizes, (messages, last, cut) => {
      const beginning = framed(last).subarray(0, -1);
      const all = frames(Buffer.concat([...messages.map(framed), beginning]), cut, 300);
      assert.deepEqual(
        all.map(({ octets, isWhole }) => [[...octets], isWhole]),
        messages.map((octets) => [[...octets], true]),
      );
    }),
  );
});

test('of a message that is too large its header is given as soon as it has come', () => {
  const [frame] = frames(framed(new Uint8Array(301).fill(7)).subarray(0, 14), [1], 300);
  assert.deepEqual(frame, { octets: Buffer.alloc(12, 7), isWhole: false });
});
