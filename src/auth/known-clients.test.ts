import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { openTestDatabase, type TestDatabase } from '../database/testing.ts';
import { createKnownClients, forgetClients, type KnownClients } from './known-clients.ts';
import { authUnit } from './tables.ts';

const DAY = 86_400_000;

function setUp(context: TestContext): { at: { now: number }; known: KnownClients; database: TestDatabase } {
  const database = openTestDatabase([authUnit]);
  context.after(() => database.close());
  const at = { now: 1_800_000_000_000 };
  return { at, database, known: createKnownClients({ ...database, clock: { now: () => at.now } }) };
}

test('a place is fresh for a day and known for ninety', async (context) => {
  const { at, known } = setUp(context);
  assert.equal(known.look('u1', '192.0.2.1'), 'unknown');
  await known.note('u1', '192.0.2.1');
  const looks = [0, DAY - 1, 1, 89 * DAY - 1, 1].map((later) => {
    at.now += later;
    return known.look('u1', '192.0.2.1');
  });
  assert.deepEqual(looks, ['fresh', 'fresh', 'known', 'known', 'unknown']);
  assert.equal(known.look('u2', '192.0.2.1'), 'unknown');
});

test('an account has thirty-two places, those of the last logins', async (context) => {
  const { at, known } = setUp(context);
  await known.note('u2', 'elsewhere');
  for (let i = 0; i < 40; i++) {
    at.now++;
    await known.note('u1', `192.0.2.${i}`);
    await known.note('u1', '192.0.2.0');
  }
  const places = Array.from({ length: 40 }, (_, i) => known.look('u1', `192.0.2.${i}`));
  assert.deepEqual(
    places.map((place) => place === 'fresh'),
    places.map((_, i) => i === 0 || i >= 9),
  );
  assert.equal(known.look('u2', 'elsewhere'), 'fresh');
});

test('what is older than ninety days goes', async (context) => {
  const { at, known, database } = setUp(context);
  await known.note('u1', 'old');
  at.now += 60 * DAY;
  await known.note('u2', 'young');
  assert.equal(await database.writer.execute(forgetClients, at.now + 31 * DAY), 1);
  assert.equal(await database.writer.execute(forgetClients, at.now + 31 * DAY), 0);
  assert.equal(database.reader.arrays('SELECT uuid FROM known_client').length, 1);
});
