import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isSubdomain } from '../../wire/dns/name.ts';
import type { ZoneChanges } from '../../zones/changes.ts';
import { pathOf } from '../../zones/path.ts';
import { REMEMBERED_MAX } from './limits.ts';
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
  fc.assert(
    fc.property(fc.array(zones, { maxLength: 8 }), moves, (all, moved) => {
      const { made, move, add } = memory();
      for (const [i, each] of all.entries()) add(String(i), ...each);
      move({ all: false, paths: moved.map(pathOf) });
      for (const [i, each] of all.entries()) {
        const isGone =
          each.length === 0 ||
          each.some((zone) => moved.some((name) => isSubdomain(name, zone) || isSubdomain(zone, name)));
        assert.equal(made.find(String(i)) === undefined, isGone, `${each} when ${moved} moves`);
      }
    }),
  );
});

test('names that are asked once do not push out those that are asked again', () => {
  const { made, add } = memory();
  add('often', 'acme.example');
  for (let i = 0; i < 10 * REMEMBERED_MAX; i++) {
    add(`once ${i}`, 'acme.example');
    if (i % 1000 === 0) assert.ok(made.find('often'), `after ${i}`);
  }
  assert.equal(made.find('once 0'), undefined);
});
