// What RETURN gives of random results, against who has all of them before him.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { idOf, type Modseq, type Uid } from '../../base/ids.ts';
import type { ReturnOption } from '../../wire/imap/return-options.ts';
import { MailboxView, slicePositions } from './mailbox-view.ts';
import { answerOf, type Results, saveResults } from './search-results.ts';

const end = fc.integer({ min: 1, max: 30 });
const range = fc
  .tuple(end, end, fc.constantFrom(1, -1))
  .map(([from, to, sign]) => ({ from: sign * from, to: sign * to }));
/** In an order of their own, as SORT gives them. */
const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 25 }), { maxLength: 25 });

/** By counting each result from both ends. */
function between(all: readonly number[], { from, to }: { from: number; to: number }): number[] {
  const [low, high] = from < to ? [from, to] : [to, from];
  return all.filter((_, i) => {
    const place = low > 0 ? i + 1 : i - all.length;
    return place >= low && place <= high;
  });
}

test('an answer is what the whole list would give', async () => {
  const options = fc.subarray<ReturnOption>(['MIN', 'MAX', 'ALL', 'COUNT', 'SAVE']);
  await fc.assert(
    fc.asyncProperty(numbers, options, fc.option(range, { nil: undefined }), async (all, names, partial) => {
      const has = new Set<ReturnOption>(names);
      const results: Results = {
        first: async (limit = Number.POSITIVE_INFINITY) => all.slice(0, limit),
        last: async (limit) => all.slice(Math.max(0, all.length - limit)),
      };
      const answer = await answerOf(results, { options: has, partial });
      assert.equal(answer.min, has.has('MIN') ? all[0] : undefined);
      assert.equal(answer.max, has.has('MAX') ? all.at(-1) : undefined);
      assert.equal(answer.count, has.has('COUNT') ? all.length : undefined);
      assert.deepEqual(answer.all, has.has('ALL') ? all : undefined);
      const part = partial === undefined ? [] : between(all, partial);
      assert.deepEqual(answer.partial, partial && { range: partial, results: part });
      // RFC 5182 §2.4 and RFC 9394 §3.2: what `$` means.
      const savesAll = has.has('ALL') || has.has('COUNT') || !(has.has('MIN') || has.has('MAX') || partial);
      const named = new Set([...part, ...[answer.min, answer.max].filter((one) => one !== undefined)]);
      assert.deepEqual([...answer.found].sort(), (savesAll ? [...all] : [...named]).sort());
    }),
    { numRuns: 2000 },
  );
});

test('what is saved is those messages, by their UIDs', () => {
  fc.assert(
    fc.property(numbers, (found) => {
      // Every third UID is there, and a run in the middle.
      const uids = Array.from({ length: 25 }, (_, i) => (i < 10 ? 3 * i + 1 : 20 + i));
      const state = { modseq: idOf<Modseq>(1), count: uids.length, lastUid: idOf<Uid>(uids.at(-1)) };
      const all = uids.map((uid) => idOf<Uid>(uid));
      const view = MailboxView.at(state, all, () => ({ read: () => undefined }));
      const mailbox = { view, saved: new Uint32Array(0) };
      saveResults(mailbox, found);
      const ranges = Array.from({ length: mailbox.saved.length / 2 }, (_, i) => ({
        first: mailbox.saved[2 * i]!,
        last: mailbox.saved[2 * i + 1]!,
      }));
      const meant = view.existing({ unit: 'uid', ranges });
      const positions = meant.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i + 1));
      assert.deepEqual(
        positions,
        [...found].sort((a, b) => a - b),
      );
    }),
    { numRuns: 1000 },
  );
});

test('a slice of positions has the places that it names', () => {
  const gaps = fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 5 })), { maxLength: 8 });
  fc.assert(
    fc.property(gaps, fc.nat(30), fc.nat(30), (pairs, from, to) => {
      const positions: { from: number; to: number }[] = [];
      let at = 0;
      for (const [gap, length] of pairs) {
        positions.push({ from: at + gap, to: at + gap + length });
        at += gap + length;
      }
      const each = (ranges: typeof positions) =>
        ranges.flatMap((one) => Array.from({ length: one.to - one.from }, (_, i) => one.from + i));
      assert.deepEqual(each(slicePositions(positions, { from, to })), each(positions).slice(from, Math.max(from, to)));
    }),
    { numRuns: 2000 },
  );
});
