// fast-check that tells what it tries and what is kept of it: for `npm run fuzz`.
//
// In      FUZZ_NOTES: a file
// Out     there, in words of eight octets: which case is tried, 0 where none is; how many have been; octets of the heap, and of
//         what it holds outside, before the first case and at most after a property, both when all that can be collected is gone; the
//         length of the case. Behind them the case
// So whoever watches knows which case does not end: this process cannot say it any more.

import { openSync, writeSync } from 'node:fs';
import fc, { type Parameters } from 'fast-check';
import { heapBytes } from './heap-bytes.ts';

export * from 'fast-check';

// Most cases are refused by an error, and a trace of each is most of the time. The short form has them.
Error.stackTraceLimit = 0;

const HEAD_BYTES = 40;
const CASE_BYTES = 64 * 1024;
const file = openSync(process.env['FUZZ_NOTES']!, 'r+');
const notes = Buffer.alloc(HEAD_BYTES + CASE_BYTES);
let tried = 0;
let before: number | undefined;
let after = 0;
let length = HEAD_BYTES;

function write(current: number): void {
  for (const [word, value] of [current, tried, before ?? 0, after, length - HEAD_BYTES].entries())
    notes.writeDoubleLE(value, word * 8);
  writeSync(file, notes, 0, length, 0);
}

/** Texts and octets as they are, whatever holds them. */
function put(value: unknown): void {
  const room = notes.length - length;
  if (room <= 0) return;
  if (value instanceof Uint8Array) {
    const some = value.subarray(0, room);
    notes.set(some, length);
    length += some.length;
  } else if (Array.isArray(value)) {
    for (const each of value) {
      put(each);
      put('\n');
    }
  } else if (typeof value === 'object' && value !== null) put(Object.entries(value));
  else length += notes.write(String(value), length, 'utf8');
}

function begun(input: readonly unknown[]): void {
  length = HEAD_BYTES;
  put(input);
  write(++tried);
}

function begin(): void {
  before ??= heapBytes();
}

function end(): void {
  length = HEAD_BYTES;
  after = Math.max(after, heapBytes());
  write(0);
}

type Property = (...args: never[]) => unknown;

/** The same property, which says each case before it judges it. */
function watchedProperty<P extends Property>(make: P): P {
  return ((...args: unknown[]) => {
    const judge = args.pop() as (...input: unknown[]) => unknown;
    const watched = (...input: unknown[]): unknown => {
      begun(input);
      return judge(...input);
    };
    return (make as unknown as (...all: unknown[]) => unknown)(...args, watched);
  }) as unknown as P;
}

function assertWatched<Ts>(property: fc.IRawProperty<Ts>, parameters?: Parameters<Ts>): Promise<void> | void {
  begin();
  const asserted = (fc.assert as (one: unknown, other: unknown) => Promise<void> | undefined)(property, parameters);
  if (asserted === undefined) end();
  else return asserted.then(end);
}

export default {
  ...fc,
  property: watchedProperty(fc.property as unknown as Property),
  asyncProperty: watchedProperty(fc.asyncProperty as unknown as Property),
  assert: assertWatched,
};
