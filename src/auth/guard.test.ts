// Days of guessing on a simulated clock, against guards of two threads that share their memory.

import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Failure } from '../base/failure.ts';
import { TokenBuckets } from '../base/token-buckets.ts';
import { openTestDatabase } from '../database/testing.ts';
import { createThrottle, type LoginGuard } from './guard.ts';
import { createKnownClients } from './known-clients.ts';
import { authUnit } from './tables.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const BUCKETS = 100_000;
const ANN = { name: 'ann@acme.example', uuid: 'u-ann' };
const HOME = '192.0.2.10';

class World {
  now = 0;
  readonly waited: number[] = [];
  readonly #threads: readonly LoginGuard[];
  readonly #known;
  #turn = 0;
  throttled = 0;
  checked = 0;

  constructor(context: TestContext, threads = 2) {
    const database = openTestDatabase([authUnit]);
    context.after(() => database.close());
    const clock = { now: () => 1_800_000_000_000 + this.now, monotonic: () => this.now };
    this.#known = createKnownClients({ ...database, clock });
    const memory = new SharedArrayBuffer(TokenBuckets.bytes(BUCKETS));
    this.#threads = Array.from({ length: threads }, (_, i) =>
      createThrottle({
        buckets: new TokenBuckets({ buffer: memory, offset: 0, capacity: BUCKETS, thread: i, isNew: i === 0 }),
        known: this.#known,
        clock,
        wait: async (ms) => void this.waited.push(ms),
      }),
    );
  }

  /** The thread that the next connection comes to. */
  get guard(): LoginGuard {
    return this.#threads[this.#turn++ % this.#threads.length]!;
  }

  async knows(uuid: string, peer: string): Promise<void> {
    await this.#known.note(uuid, peer);
  }

  /** True when the password was looked at. */
  async guess(peer: string, name: string, secret: string | undefined, uuid?: string): Promise<boolean> {
    try {
      const attempt = await this.guard.begin(peer, name, uuid);
      this.checked++;
      await attempt.wrong(secret === undefined ? undefined : Buffer.from(secret));
      return true;
    } catch (error) {
      assert.ok(error instanceof Failure && error.kind === 'throttled');
      this.throttled++;
      return false;
    }
  }

  /** With the right password: throws when it is refused. */
  async logIn(peer: string, name: string, uuid: string): Promise<void> {
    const before = this.waited.length;
    const attempt = await this.guard.begin(peer, name, uuid);
    attempt.right();
    attempt.letIn();
    assert.equal(this.waited.length, before, 'a right password waits for nothing');
  }
}

/** Addresses of a network that is not the owner's. */
const address = (i: number): string => `198.${18 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;

test('one guesser gets ten looks at a name and then one a minute, and the owner notices nothing', async (context) => {
  const world = new World(context);
  await world.knows(ANN.uuid, HOME);
  for (let i = 0; world.now < DAY / 4; i++, world.now += 2000) {
    await world.guess(address(1), ANN.name, `guess ${i}`, ANN.uuid);
    if (i % 100 === 0) await world.logIn(HOME, ANN.name, ANN.uuid);
  }
  assert.ok(world.checked <= 10 + 6 * 60, `${world.checked} passwords were looked at`);
  assert.ok(world.checked >= 6 * 60, `${world.checked} passwords were looked at`);
});

test('ten thousand addresses get a hundred looks at a name and then six a minute; its known places stay open', async (context) => {
  const world = new World(context);
  await world.knows(ANN.uuid, HOME);
  for (let i = 0; i < 20_000; i++, world.now += 100) {
    await world.guess(address(i % 10_000), ANN.name, `guess ${i}`, ANN.uuid);
    if (i % 50 === 0) await world.logIn(HOME, 'ANN@acme.example', ANN.uuid);
  }
  const minutes = world.now / MINUTE;
  assert.ok(world.checked <= 100 + 6 * minutes + 1, `${world.checked} passwords were looked at`);
  for (let i = 0; i < 200; i++) await world.guess(address(i), ANN.name, `last guess ${i}`, ANN.uuid);
  // Somewhere new she has to wait like everybody.
  await assert.rejects(world.logIn('203.0.113.5', ANN.name, ANN.uuid), { kind: 'throttled' });
});

test('one address at ten thousand names gets fifty looks and then six a minute; other places of the names stay open', async (context) => {
  const world = new World(context);
  await world.knows(ANN.uuid, HOME);
  for (let i = 0; i < 10_000; i++, world.now += 1000) {
    await world.guess(address(1), `user${i}@acme.example`, 'summer', i % 2 === 0 ? `u-${i}` : undefined);
    if (i % 50 === 0) await world.logIn(HOME, ANN.name, ANN.uuid);
  }
  const minutes = world.now / MINUTE;
  assert.ok(world.checked <= 50 + 6 * minutes + 1, `${world.checked} passwords were looked at`);
  await world.logIn(address(2), 'user4@acme.example', 'u-4');
});

test('a phone with an old password hurts nobody at its address, and not its owner', async (context) => {
  const world = new World(context);
  for (let i = 0; i < 3000; i++, world.now += 10_000) {
    await world.guess(HOME, ANN.name, 'last year', ANN.uuid);
    if (i % 20 !== 0) continue;
    // Nobody of them has logged in from there before.
    await world.logIn(HOME, `user${i}@acme.example`, `u-${i}`);
    await world.logIn('2001:db8::7', ANN.name, ANN.uuid);
  }
  assert.equal(world.throttled, 0);
  await world.logIn(HOME, ANN.name, ANN.uuid);
});

test('a failed proof counts each time: nobody can see whether it is the same', async (context) => {
  const world = new World(context);
  for (let i = 0; i < 20; i++) await world.guess(HOME, ANN.name, undefined, ANN.uuid);
  assert.deepEqual([world.checked, world.throttled], [10, 10]);
});

test('at a known place a hundred wrong ones, and ten a minute', async (context) => {
  const world = new World(context);
  await world.knows(ANN.uuid, HOME);
  for (let i = 0; i < 150; i++) await world.guess(HOME, ANN.name, `guess ${i}`, ANN.uuid);
  assert.equal(world.checked, 100);
  world.now += MINUTE;
  for (let i = 0; i < 20; i++) await world.guess(HOME, ANN.name, `again ${i}`, ANN.uuid);
  assert.equal(world.checked, 110);
});

test('a place is known by a right password, for ninety days, for the whole /64', async (context) => {
  const world = new World(context);
  await world.logIn('2001:db8:0:7::1', ANN.name, ANN.uuid);
  await new Promise((turn) => setImmediate(turn));
  const checks = async (peer: string): Promise<number> => {
    const before = world.checked;
    for (let i = 0; i < 20; i++) await world.guess(peer, ANN.name, `${peer} ${i} ${world.now}`, ANN.uuid);
    return world.checked - before;
  };
  assert.equal(await checks('2001:db8:0:7::2'), 20);
  assert.equal(await checks('2001:db8:0:8::2'), 10);
  world.now += 90 * DAY;
  assert.equal(await checks('2001:db8:0:7::3'), 10);
});

test('a right password that a status or a rule refuses makes no place known', async (context) => {
  const world = new World(context);
  (await world.guard.begin(HOME, ANN.name, ANN.uuid)).right();
  await new Promise((turn) => setImmediate(turn));
  for (let i = 0; i < 20; i++) await world.guess(HOME, ANN.name, `guess ${i}`, ANN.uuid);
  assert.equal(world.checked, 10);
});

test('a name that is nobody is answered as one that is, at every turn', async (context) => {
  const world = new World(context);
  const outcomes = async (name: string, uuid: string | undefined): Promise<unknown> => {
    world.now += DAY;
    const from = world.waited.length;
    const looked: boolean[] = [];
    for (let i = 0; i < 30; i++) {
      looked.push(await world.guess('203.0.113.9', name, `guess ${i >> 1}`, uuid));
      world.now += 20_000;
    }
    return { looked, waited: world.waited.slice(from) };
  };
  assert.deepEqual(await outcomes('nobody@acme.example', undefined), await outcomes(ANN.name, ANN.uuid));
});

test('all addresses of an account are one name', async (context) => {
  const world = new World(context);
  for (let i = 0; i < 20; i++) await world.guess(address(i), `${i}-alias@acme.example`, `guess ${i}`, ANN.uuid);
  for (let i = 20; i < 200; i++) await world.guess(address(i), ANN.name.toUpperCase(), `guess ${i}`, ANN.uuid);
  assert.equal(world.checked, 100);
});

test('the answer to a failure waits 0.1 s, doubled with each further one in a quarter of an hour, 5 s at most', async (context) => {
  const world = new World(context);
  for (let i = 0; i < 8; i++) await world.guess(HOME, ANN.name, 'same', ANN.uuid);
  assert.deepEqual(world.waited, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  await world.guess(address(1), ANN.name, 'same', ANN.uuid);
  assert.equal(world.waited.at(-1), 100, 'another place');
  world.now += 15 * MINUTE;
  await world.guess(HOME, ANN.name, 'same', ANN.uuid);
  assert.equal(world.waited.at(-1), 100);
});

test('a throttled login is answered after a second', async (context) => {
  const world = new World(context);
  for (let i = 0; i < 10; i++) await world.guess(HOME, ANN.name, undefined, ANN.uuid);
  await world.guess(HOME, ANN.name, undefined, ANN.uuid);
  assert.equal(world.waited.at(-1), 1000);
});

test('while checks under way have the last tokens the next waits, and a thousand at once get no further', async (context) => {
  const world = new World(context);
  const first = await Promise.all(Array.from({ length: 10 }, () => world.guard.begin(HOME, ANN.name, ANN.uuid)));
  let begun = 0;
  const later = Array.from({ length: 1000 }, () =>
    world.guard.begin(HOME, ANN.name, ANN.uuid).then(async (attempt) => {
      begun++;
      await attempt.wrong(undefined);
    }),
  );
  const outcomes = Promise.allSettled(later);
  await new Promise((turn) => setTimeout(turn, 50));
  assert.equal(begun, 0);
  first[0]!.right();
  first[1]!.undecided();
  for (const attempt of first.slice(2)) await attempt.wrong(undefined);
  const refused = (await outcomes).filter(({ status }) => status === 'rejected').length;
  assert.deepEqual([begun, refused], [2, 998]);
});

test('many right passwords at once all get in, at a place that is not known', async (context) => {
  const world = new World(context);
  await Promise.all(
    Array.from({ length: 200 }, async () => {
      const attempt = await world.guard.begin(HOME, ANN.name, ANN.uuid);
      await new Promise((turn) => setImmediate(turn));
      attempt.right();
    }),
  );
});

test('a token of nobody counts for its client alone: others with unknown tokens are looked at, and so are its names', async (context) => {
  const world = new World(context);
  const wrongToken = async (peer: string, n: number): Promise<boolean> => {
    try {
      await (await world.guard.begin(peer, undefined, undefined)).wrong(Buffer.from(`wp_${n}`));
      return true;
    } catch {
      return false;
    }
  };
  let looked = 0;
  for (let n = 0; n < 200; n++) if (await wrongToken(address(0), n)) looked++;
  assert.equal(looked, 50, 'fifty a client, and no fewer for saying no name');
  for (let i = 1; i < 1000; i++) assert.equal(await wrongToken(address(i), 10_000 + i), true);
  await world.logIn(address(2000), ANN.name, ANN.uuid);
});
