// The judge of ends finds what is lost, doubled, torn, or in two places, and lets a repeat at another host or of a program pass.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type End, Ends, type Taker } from './ends.ts';
import type { Fate } from './ledger.ts';

const PLACE = 'rex@remote.example';

/** `remote/a`: the delivery a. */
function judged(fate: Fate, found: readonly string[], more: readonly string[] = []) {
  const ends = new Ends();
  ends.open('m1', [PLACE, ...more], { fate });
  for (const each of found) {
    const [end, copy] = each.split('/');
    const taken = { by: (end === 'program' ? end : 'remote') as Taker, copy: copy! };
    ends.found({ end: end as End, id: 'm1', place: PLACE, ...(copy === undefined ? {} : { taken }) });
  }
  return { problems: ends.check(), repeated: ends.repeated, phantoms: ends.phantoms };
}

test('one end is right, whichever; none is lost; two are one too many', () => {
  for (const end of ['mailbox', 'file', 'program', 'remote', 'queue', 'report'] as const) {
    assert.deepEqual(judged('acknowledged', [end]).problems, []);
    assert.match(judged('refused', [end]).problems.join(), /was refused, and is in: /);
    assert.deepEqual(judged('open', [end]).problems, []);
    assert.equal(judged('open', [end]).phantoms, 1);
  }
  assert.match(judged('acknowledged', []).problems.join(), /has ended nowhere/);
  assert.deepEqual(judged('open', []).problems, []);
  assert.deepEqual(judged('refused', []).problems, []);
  assert.match(judged('acknowledged', ['remote', 'report']).problems.join(), /has ended in remote and report/);
  for (const end of ['mailbox', 'file', 'queue', 'report'])
    assert.match(judged('acknowledged', [end, end]).problems.join(), /has ended in (\S+) and \1/);
});

test('what was never answered is there as a whole, or not at all', () => {
  assert.match(judged('open', ['mailbox'], ['file box']).problems.join(), /^m1 for file box has ended nowhere$/);
  assert.deepEqual(judged('open', [], ['file box']).problems, []);
});

test('what is found where nothing is due is a problem', () => {
  const ends = new Ends();
  ends.found({ end: 'file', id: 'm1', place: 'file box' });
  assert.match(ends.check().join(), /^m1 for file box is in file, where it is not due$/);
});

test('a repeat is counted apart where it is the same delivery, and a problem where it was made twice', () => {
  for (const end of ['program', 'remote', 'report'] as const) {
    const { problems, repeated } = judged('acknowledged', [`${end}/a`, `${end}/a`, `${end}/a`]);
    assert.deepEqual([problems, repeated[end === 'report' ? 'remote' : end]], [[], 2]);
    assert.match(judged('acknowledged', [`${end}/a`, `${end}/b`]).problems.join(), /has ended in (\S+) and \1/);
  }
});

test('of a connection one delivery at most is repeated', () => {
  const problems = (connections: readonly [first: number, again: number][]): string => {
    const ends = new Ends();
    for (const [index, over] of connections.entries()) {
      const id = `m${index}`;
      ends.open(id, [PLACE], { fate: 'acknowledged' });
      for (const each of over)
        ends.found({ end: 'remote', id, place: PLACE, taken: { by: 'remote', copy: '', over: each } });
    }
    return ends.check().join();
  };
  assert.equal(
    problems([
      [1, 2],
      [3, 4],
    ]),
    '',
  );
  assert.match(
    problems([
      [1, 2],
      [1, 2],
    ]),
    /^of connection 1 2 deliveries were repeated: m0 for \S+, m1 for \S+$/,
  );
});
