import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../base/failure.ts';
import { idOf, type Modseq, type Uid } from '../../base/ids.ts';
import { type NumberSet, STAR } from '../../wire/imap/values.ts';
import { countPositions, type Front, MailboxView, rangesHold, ViewLost } from './mailbox-view.ts';

const MODSEQ = idOf<Modseq>(1);

/** Gives what is below a UID in pages of two. */
const frontOf =
  (uids: readonly Uid[]) =>
  (_: Modseq, below: number): Front => {
    let left = uids.filter((uid) => uid < below);
    return {
      read() {
        const page = left.slice(-2);
        left = left.slice(0, -2);
        return { uids: page, isFirst: left.length === 0 };
      },
    };
  };

/** A view of which the last `loaded` are known from the start. */
function lazyView(numbers: readonly number[], loaded: number): MailboxView {
  const uids = numbers.map((uid) => idOf<Uid>(uid));
  const state = { modseq: MODSEQ, count: uids.length, lastUid: uids.at(-1) ?? idOf<Uid>(0) };
  return MailboxView.at(state, loaded === 0 ? [] : uids.slice(-loaded), frontOf(uids));
}

function viewOf(...uids: number[]): MailboxView {
  return lazyView(uids, 0);
}

const set = (unit: 'sequence' | 'uid', ...ranges: [number, number][]): NumberSet => ({
  unit,
  ranges: ranges.map(([first, last]) => ({ first, last })),
});

test('numbers follow the UIDs that are there', () => {
  const before = viewOf(2, 5, 9);
  const larger = before.with([idOf(12), idOf(13)]);
  assert.equal(larger.count, 5);
  assert.equal(larger.numberOf(idOf(9)), 3);
  assert.equal(larger.numberOf(idOf(3)), undefined);
  const { view, numbers } = larger.without(new Set([2, 9, 13, 77].map((uid) => idOf<Uid>(uid))), MODSEQ);
  assert.deepEqual(numbers, [5, 3, 1]);
  assert.deepEqual([view.count, view.uidAt(0), view.uidAt(1), view.largestUid], [2, 5, 12, 12]);
  assert.equal(view.countBetween(5, 12), 1);
  assert.deepEqual([before.count, larger.count], [3, 5]);
  assert.equal(viewOf().largestUid, 0);
});

test('what a view says does not depend on how much of it was loaded, and it keeps saying it while others follow', () => {
  const uids = fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { maxLength: 20 });
  const question = fc.oneof(fc.record({ uid: fc.integer({ min: 0, max: 45 }) }), fc.record({ position: fc.nat(20) }));
  const cases = fc.record({
    uids,
    loaded: fc.nat(20),
    gone: fc.array(fc.nat(19)),
    added: fc.nat(5),
    questions: fc.array(question, { maxLength: 6 }),
  });
  fc.assert(
    fc.property(cases, ({ uids: some, loaded, gone, added, questions }) => {
      const numbers = some.sort((a, b) => a - b);
      const isGone = new Set(numbers.filter((_, at) => gone.includes(at)));
      const after = numbers.filter((uid) => !isGone.has(uid));
      for (let i = 1; i <= added; i++) after.push(100 + i);
      const view = lazyView(numbers, Math.min(loaded, numbers.length));
      const ask = (of: MailboxView, expected: readonly number[]) => {
        for (const one of questions) {
          if ('uid' in one) {
            const at = expected.findIndex((uid) => uid >= one.uid);
            assert.equal(of.positionFrom(one.uid), at < 0 ? expected.length : at);
          } else if (one.position < expected.length) assert.equal(of.uidAt(one.position), expected[one.position]);
        }
      };
      ask(view, numbers);
      const set = new Set([...isGone].map((uid) => idOf<Uid>(uid)));
      const { view: left, numbers: told } = view.without(set, MODSEQ);
      const expected = numbers.flatMap((uid, at) => (isGone.has(uid) ? [at + 1] : [])).reverse();
      assert.deepEqual(told, expected);
      const news = Array.from({ length: added }, (_, i) => idOf<Uid>(101 + i));
      ask(left.with(news), after);
      ask(view, numbers);
      assert.equal(left.with(news).count, after.length);
    }),
    { numRuns: 500 },
  );
});

test('a view whose front is another than was counted is lost, and says so', () => {
  const state = { modseq: MODSEQ, count: 4, lastUid: idOf<Uid>(9) };
  const uids = [2, 3, 5, 9].map((uid) => idOf<Uid>(uid));
  const fewer = MailboxView.at(state, [], frontOf(uids.slice(1)));
  assert.throws(() => fewer.uidAt(0), ViewLost);
  const more = MailboxView.at({ ...state, count: 3 }, [], frontOf(uids));
  assert.throws(() => more.uidAt(0), ViewLost);
  const gone = MailboxView.at(state, [], () => ({ read: () => undefined }));
  assert.throws(() => gone.uidAt(3), ViewLost);
});

test('sets become positions', () => {
  const view = viewOf(2, 5, 9);
  const cases: readonly [NumberSet, [number, number][]][] = [
    [set('sequence', [1, 3]), [[0, 3]]],
    [set('sequence', [STAR, STAR]), [[2, 3]]],
    [set('sequence', [7, STAR]), [[2, 3]]],
    [set('sequence', [3, 3], [1, 1], [1, 2]), [[0, 3]]],
    [set('uid', [1, 4]), [[0, 1]]],
    [set('uid', [3, 8], [9, 20]), [[1, 3]]],
    [set('uid', [20, STAR]), [[2, 3]]],
    [set('uid', [3, 4]), []],
    [set('uid', [2, 3], [4, 4], [5, 5]), [[0, 2]]],
    [set('uid', [STAR, 0xffff_ffff]), [[2, 3]]],
  ];
  for (const [numbers, positions] of cases)
    assert.deepEqual(
      view.positions(numbers),
      positions.map(([from, to]) => ({ from, to })),
    );
  for (const numbers of [set('sequence', [4, 4]), set('sequence', [1, 4]), set('sequence', [4, 1])])
    assert.throws(() => view.positions(numbers), Failure);
  for (const range of [[1, 1] as const, [STAR, STAR] as const, [1, STAR] as const])
    assert.throws(() => viewOf().positions(set('sequence', [...range])), Failure);
  assert.deepEqual(viewOf().positions(set('uid', [1, STAR])), []);
});

test('where numbers are a key among others, those beyond the end mean nothing', () => {
  const number = fc.oneof(fc.integer({ min: 1, max: 8 }), fc.constant(STAR));
  const ranges = fc.array(fc.tuple(number, number), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(fc.nat({ max: 6 }), ranges, (count, wanted) => {
      const view = viewOf(...Array.from({ length: count }, (_, i) => 10 * (i + 1)));
      const expected: number[] = [];
      for (let at = 1; at <= count; at++) {
        const isIn = ([a, b]: [number, number]): boolean => {
          const [first, last] = [Math.min(a, count), Math.min(b, count)];
          // Only `*` is the last message; any other number is itself.
          const low = Math.min(a === STAR ? first : a, b === STAR ? last : b);
          return at >= low && at <= Math.max(first, last);
        };
        if (wanted.some(isIn)) expected.push(at);
      }
      const found = view
        .existing(set('sequence', ...wanted))
        .flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i + 1));
      assert.deepEqual(found, expected);
    }),
    { numRuns: 1000 },
  );
});

test('slices by UID hold every message once and no more than the limit', () => {
  const uids = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 30 });
  const ranges = fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 60 })), { maxLength: 6 });
  fc.assert(
    fc.property(uids, ranges, fc.integer({ min: 1, max: 7 }), (numbers, wanted, limit) => {
      const rising = [...numbers].sort((a, b) => a - b);
      const view = viewOf(...rising);
      const positions = view.positions(set('uid', ...wanted));
      const expected = rising.filter((uid) => wanted.some(([a, b]) => uid >= Math.min(a, b) && uid <= Math.max(a, b)));
      const found: number[] = [];
      for (const slice of view.uidSlices(positions, limit)) {
        const inSlice = slice.flatMap(([from, to]) => rising.filter((uid) => uid >= from && uid <= to));
        assert.ok(inSlice.length > 0 && inSlice.length <= limit);
        found.push(...inSlice);
      }
      assert.deepEqual(found, expected);
      assert.equal(countPositions(positions), expected.length);
    }),
  );
});

test('a rising list of ranges holds what lies in one of them', () => {
  const ranges = [
    { first: 2, last: 4 },
    { first: 7, last: 7 },
  ];
  const held = Array.from({ length: 10 }, (_, number) => number).filter((number) => rangesHold(ranges, number));
  assert.deepEqual(held, [2, 3, 4, 7]);
  assert.equal(rangesHold([], 1), false);
});
