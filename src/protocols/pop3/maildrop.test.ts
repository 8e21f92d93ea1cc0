import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { Failure } from '../../base/failure.ts';
import { operation } from '../../database/operation.ts';
import { openTestDatabase, type TestDatabase } from '../../database/testing.ts';
import { ensureAccount } from '../../store/accounts.ts';
import { storeUnit } from '../../store/tables.ts';
import { Maildrop } from './maildrop.ts';
import { fillInbox } from './testing.ts';

const makeAccount = operation('test.account', (tx, args: { readonly uuid: string }) =>
  ensureAccount(tx, { uuid: args.uuid, tenant: 1 }),
);

let database: TestDatabase;
let accounts = 0;
before(() => {
  database = openTestDatabase([storeUnit]);
});
after(() => database?.close());

/** A maildrop of messages with these UIDs; message n has n octets. */
async function maildropOf(uids: readonly number[]): Promise<Maildrop> {
  const account = await database.writer.execute(makeAccount, { uuid: `test-${++accounts}` });
  const messages = uids.map((uid, i) => ({ uid, size: i + 1 }));
  await database.writer.execute(fillInbox, { account, messages });
  return Maildrop.open(database.reader, account, () => undefined);
}

const isNotFound = (error: unknown): boolean => error instanceof Failure && error.kind === 'not-found';

test('marks, counts and octets agree with a naive list, whatever is done', async () => {
  const maildrop = await maildropOf([1, 2, 5, 6, 7, 20]);
  const step = fc.oneof(fc.integer({ min: -1, max: 8 }), fc.constant('RSET' as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      maildrop.unmarkAll();
      let left = [1, 2, 3, 4, 5, 6];
      for (const one of steps) {
        if (one === 'RSET') {
          maildrop.unmarkAll();
          left = [1, 2, 3, 4, 5, 6];
        } else if (left.includes(one)) {
          maildrop.mark(one);
          left = left.filter((number) => number !== one);
        } else assert.throws(() => maildrop.mark(one), isNotFound);
        assert.equal(maildrop.count, left.length);
        assert.equal(
          maildrop.octets,
          left.reduce((sum, number) => sum + number, 0),
        );
        for (let number = -1; number < 9; number++)
          assert.equal(maildrop.find(number)?.size, left.includes(number) ? number : undefined);
      }
    }),
  );
});

test('ranges mean the marked messages and no other, a slice at most so many', async () => {
  const uids = [1, 2, 5, 6, 7, 20, 21, 30, 40, 41];
  const maildrop = await maildropOf(uids);
  fc.assert(
    fc.property(fc.subarray(uids), fc.integer({ min: 1, max: 12 }), (marked, most) => {
      maildrop.unmarkAll();
      for (const uid of marked) maildrop.mark(uids.indexOf(uid) + 1);
      const removed: number[] = [];
      for (const slice of maildrop.markedSlices(most)) {
        const meant = slice.flatMap(([from, to]) => uids.filter((uid) => uid >= from && uid <= to));
        assert.ok(meant.length > 0 && meant.length <= most);
        removed.push(...meant);
      }
      assert.deepEqual(removed, marked);
    }),
  );
});

test('all messages marked are one range, whatever UIDs are missing', async () => {
  const maildrop = await maildropOf([3, 9, 27]);
  for (const number of [1, 2, 3]) maildrop.mark(number);
  assert.deepEqual([...maildrop.markedSlices(100)], [[[3, 27]]]);
});

test('unique ids are of printable characters, seventy at most', async () => {
  const maildrop = await maildropOf([1, 4_294_967_295]);
  assert.match(maildrop.uniqueId(maildrop.get(1)), /^[\x21-\x7e]{1,70}$/);
  assert.notEqual(maildrop.uniqueId(maildrop.get(1)), maildrop.uniqueId(maildrop.get(2)));
});
