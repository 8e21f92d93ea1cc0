// The soak test in short: seconds in which nothing can be judged flat. The invariants hold, and the report has its figures.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { peersMissing } from '../support/peers.ts';
import { LOADS } from './loads/all.ts';
import { runSoak } from './soak.ts';

const skip = peersMissing('named', 'slapd', 'ldapmodify', 'dig');
const KINDS = ['memory', 'log', 'unwritten', 'descriptors', 'waste', 'segments', 'database', 'heap main'];

test('under all loads and ends of threads mail is where it was sent, and all who share the directory have the same', {
  skip,
}, async (context) => {
  const seed = Date.now() % 1_000_000;
  const report = await runSoak({
    warmUpMs: 500,
    measuredMs: 3500,
    seed,
    rate: 1,
    say: (text) => context.diagnostic(text),
  });
  const { problems, loads, figures, messages, kills } = report;
  context.diagnostic(`seed ${seed}, ${JSON.stringify({ loads, messages, kills })}`);
  assert.deepEqual(problems, []);
  for (const { name } of LOADS) assert.ok(loads[name]!.attempts > 0, name);
  assert.ok(messages.acknowledged > 0);
  assert.ok(Object.keys(kills).length > 0);
  const names = new Set(figures.map(({ name }) => name));
  for (const server of ['mx1', 'mx2'])
    for (const kind of KINDS) assert.ok(names.has(`${server} ${kind}`), `${server} ${kind}`);
});
