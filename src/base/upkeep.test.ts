import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { test } from 'node:test';
import { silentLog } from './log.ts';
import { Upkeep, type UpkeepTask } from './upkeep.ts';

/** A task that comes again at once until it has had so many slices, and then rests. */
function counted(name: string, slices: number, said: string[], events: EventEmitter): UpkeepTask {
  let left = slices;
  return {
    name,
    async run() {
      said.push(name);
      // Others would come in here if slices were not apart.
      await new Promise((turn) => setImmediate(turn));
      said.push(`${name} end`);
      if (--left > 0) return 0;
      events.emit(name);
      return 1e9;
    },
    async end() {
      said.push(`${name} gives up`);
    },
  };
}

test('slices of tasks take turns, and none begins before another has ended', async () => {
  const said: string[] = [];
  const events = new EventEmitter();
  const ended = [once(events, 'a'), once(events, 'b')];
  const upkeep = new Upkeep([counted('a', 3, said, events), counted('b', 2, said, events)], silentLog);
  await Promise.all(ended);
  await upkeep.end();
  assert.deepEqual(said, [
    ...['a', 'a end', 'b', 'b end', 'a', 'a end', 'b', 'b end', 'a', 'a end'],
    ...['a gives up', 'b gives up'],
  ]);
});

test('a task that fails leaves the others their turns', async () => {
  const said: string[] = [];
  const events = new EventEmitter();
  const ended = once(events, 'b');
  const failing: UpkeepTask = { name: 'failing', run: () => Promise.reject(new Error('no')) };
  const upkeep = new Upkeep([failing, counted('b', 3, said, events)], silentLog);
  await ended;
  await upkeep.end();
  assert.equal(said.filter((word) => word === 'b').length, 3);
});

test('the end waits for the slice that is under way', async () => {
  const said: string[] = [];
  const events = new EventEmitter();
  const begun = once(events, 'begun');
  let go = (): void => {};
  const upkeep = new Upkeep(
    [
      {
        name: 'long',
        async run() {
          events.emit('begun');
          await new Promise<void>((resolve) => (go = resolve));
          said.push('done');
          return 0;
        },
      },
    ],
    silentLog,
  );
  await begun;
  const end = upkeep.end().then(() => said.push('ended'));
  await new Promise((turn) => setImmediate(turn));
  go();
  await end;
  assert.deepEqual(said, ['done', 'ended']);
});
