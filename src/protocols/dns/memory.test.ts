import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSubdomain } from '../../wire/dns/name.ts';
import type { ZoneChanges } from '../../zones/changes.ts';
import { pathOf } from '../../zones/path.ts';
import { REMEMBERED_BYTES } from './limits.ts';
import { AnswerMemory } from './memory.ts';

function memory() {
  const state: { revision: number; moved: ZoneChanges | undefined } = { revision: 1, moved: undefined };
  const made = new AnswerMemory(
    () => state.revision,
    () => state.moved,
  );
  made.follow();
  const move = (moved: ZoneChanges | undefined) => {
    state.revision++;
    state.moved = moved;
    made.follow();
  };
  const add = (key: string, ...zones: string[]) => made.add(key, { octets: new Uint8Array(0), rcode: 0, zones });
  return { made, move, add };
}

const NOTHING: ZoneChanges = { all: false, paths: [] };

test('a change that moves no row of the zones forgets nothing; one that is too large, or of a host or key, all', () => {
  for (const moved of [undefined, { all: true, paths: [] }]) {
    const { made, move, add } = memory();
    add('a', 'acme.example');
    move(NOTHING);
    assert.ok(made.find('a'));
    move(moved);
    assert.equal(made.find('a'), undefined);
  }
});

test('a change forgets the answers of its zones, of those above and below, and those of no zone', () => {
  const names = ['example', 'acme.example', 'a.acme.example', 'b.a.acme.example', 'other.example', 'xacme.example'];
  const zones = fc.subarray(names, { maxLength: 2 });
  const moves = fc.subarray(names, { minLength: 1 });
  const step = fc.oneof(fc.record({ answer: zones }), fc.record({ moved: moves }), fc.constant({ many: true }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const { made, move, add } = memory();
      for (const [at, step] of steps.entries())
        if ('answer' in step) add(String(at), ...step.answer);
        else if ('moved' in step) move({ all: false, paths: step.moved.map(pathOf) });
        // More than are kept.
        else move({ all: false, paths: Array.from({ length: 3000 }, (_, i) => pathOf(`m${i}.elsewhere`)) });
      for (const [at, step] of steps.entries()) {
        if (!('answer' in step)) continue;
        const behind = steps.slice(at + 1).filter((each) => !('answer' in each));
        const moved = behind.flatMap((each) => ('moved' in each ? each.moved : []));
        const isGone =
          (step.answer.length === 0 && behind.length > 0) ||
          step.answer.some((zone) => moved.some((name) => isSubdomain(name, zone) || isSubdomain(zone, name)));
        assert.equal(made.find(String(at)) === undefined, isGone, `${step.answer} when ${moved} move`);
      }
    }),
  );
});

test('names that are asked once do not push out those that are asked again', () => {
  const { made, add } = memory();
  add('often', 'acme.example');
  for (let i = 0; i < REMEMBERED_BYTES / 100; i++) {
    add(`once ${i}`, 'acme.example');
    if (i % 1000 === 0) assert.ok(made.find('often'), `after ${i}`);
  }
  assert.equal(made.find('once 0'), undefined);
});
