import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { operation } from '../database/operation.ts';
import { type ExpiryRule, parseExpiry } from '../directory/expiry-value.ts';
import { expireAccount } from './expire.ts';
import { type AccountExpiry, matches, rulesFor } from './expiry-rules.ts';
import { FLAGGED, SEEN } from './flags.ts';
import { createMailbox, listMailboxes } from './mailboxes.ts';
import { TestStore } from './testing.ts';

const execute = operation('test.execute', async (tx, statements: readonly string[]) => {
  for (const statement of statements) await tx.run(statement);
});

function rules(...values: readonly string[]): ExpiryRule[] {
  return values.map((value) => parseExpiry(value) ?? assert.fail(value));
}

const NONE: AccountExpiry = { own: [], domain: [] };
const SECOND = 1000;
/** The moment of all rounds: a message that is `n` seconds old was saved that long before. */
const NOW = 1_000_000 * SECOND;

interface Made {
  readonly age: number;
  readonly flags?: number;
  readonly size?: number;
}

async function open(context: TestContext) {
  const store = new TestStore();
  context.after(() => store.close());
  const account = await store.account();
  const { reader, writer } = store.database;
  for (const name of ['Trash', 'Trash/Old', 'Sent']) await writer.execute(createMailbox, { owner: account, name });
  const box = (name: string) => listMailboxes(reader, account).find((each) => each.name === name)!;
  return {
    store,
    /** Rows as they might be, without bytes. */
    async fill(name: string, messages: readonly Made[]) {
      const { id, owner } = box(name);
      const uid = (i: number) => i + 1;
      await writer.execute(execute, [
        `DELETE FROM mailbox_message WHERE account = ${owner} AND mailbox = ${id}`,
        ...messages.map(
          ({ age, flags = 0, size = 10 }, i) =>
            `INSERT INTO mailbox_message (account, mailbox, uid, message, flags, keywords, modseq, touched, internal_date, saved, size)
             VALUES (${owner}, ${id}, ${uid(i)}, 0, ${flags}, NULL, 1, 0, 0, ${NOW - age * SECOND}, ${size})`,
        ),
        `UPDATE mailbox SET uidnext = ${messages.length + 1}, messages = ${messages.length},
           unseen = ${messages.filter(({ flags = 0 }) => (flags & SEEN) === 0).length},
           bytes = ${messages.reduce((sum, { size = 10 }) => sum + size, 0)} WHERE account = ${owner} AND id = ${id}`,
      ]);
    },
    uids(name: string): number[] {
      const { id, owner } = box(name);
      const sql = 'SELECT uid FROM mailbox_message WHERE account = ? AND mailbox = ? ORDER BY uid';
      return reader.arrays(sql, owner, id).map(([uid]) => Number(uid));
    },
    async expire(expiry: AccountExpiry, isDryRun = false) {
      const parts = { reader, now: NOW, writer: isDryRun ? undefined : writer };
      const found: string[] = [];
      for await (const gone of expireAccount(parts, account, expiry))
        if (gone !== undefined) found.push(`${gone.mailbox} ${gone.messages} ${gone.bytes}`);
      return found;
    },
    counters: (name: string) => [box(name).messages, box(name).unseen, box(name).bytes],
    vanished: () => store.count('vanished'),
  };
}

test('what is old goes, folder by folder, and leaves a trace; what is flagged stays', async (context) => {
  const { fill, uids, expire, counters, vanished } = await open(context);
  await fill('Trash', [{ age: 40, flags: FLAGGED }, { age: 31 }, { age: 30, flags: SEEN }, { age: 29 }]);
  await fill('Sent', [{ age: 99 }]);
  const expiry = { ...NONE, domain: rules('Trash 30s') };
  assert.deepEqual(await expire(expiry, true), ['Trash 2 20']);
  assert.deepEqual(uids('Trash'), [1, 2, 3, 4]);
  assert.deepEqual(await expire(expiry), ['Trash 2 20']);
  assert.deepEqual([uids('Trash'), uids('Sent')], [[1, 4], [1]]);
  assert.deepEqual(counters('Trash'), [2, 2, 20]);
  assert.equal(vanished(), 2);
  assert.deepEqual(await expire(expiry), []);
});

test('only what was read, only what is large, all but the newest', async (context) => {
  const { fill, uids, expire } = await open(context);
  await fill('Trash', [{ age: 50 }, { age: 50, flags: SEEN }, { age: 50, flags: SEEN | FLAGGED }]);
  await expire({ ...NONE, own: rules('Trash 30s seen') });
  assert.deepEqual(uids('Trash'), [1, 3]);
  await fill('Trash', [
    { age: 50, size: 1024 },
    { age: 50, size: 1025 },
  ]);
  await expire({ ...NONE, own: rules('Trash 30s over 1K') });
  assert.deepEqual(uids('Trash'), [1]);
  await fill('Trash', [{ age: 9, flags: FLAGGED }, { age: 8 }, { age: 7 }, { age: 6 }]);
  await expire({ ...NONE, own: rules('Trash count 2') });
  assert.deepEqual(uids('Trash'), [1, 3, 4]);
});

test('more messages than a page and a slice', async (context) => {
  const { fill, uids, expire, counters } = await open(context);
  // Flagged ones in front, and young ones among the old: the walk does not end there.
  const messages = Array.from({ length: 2700 }, (_, i) =>
    i < 1100 ? { age: 99, flags: FLAGGED } : { age: i % 3 === 0 ? 10 : 40 },
  );
  await fill('Trash', messages);
  const old = messages.filter(({ age, flags }) => age === 40 && flags === undefined).length;
  assert.deepEqual(await expire({ ...NONE, own: rules('Trash 30s') }), [`Trash ${old} ${10 * old}`]);
  assert.equal(uids('Trash').length, 2700 - old);
  assert.equal(counters('Trash')[0], 2700 - old);
});

test("an account's rule takes the place of its domain's for the same folder, and never spares", () => {
  const texts = (folder: string, own: readonly string[], domain: readonly string[]) =>
    rulesFor(folder, { own: rules(...own), domain: rules(...domain) }).map((rule) =>
      rule.does === 'age' ? rule.ageMs / SECOND : -rule.count,
    );
  assert.deepEqual(texts('Trash', ['Trash 60s'], ['Trash 30s']), [60]);
  assert.deepEqual(texts('Trash', ['Trash 60s', 'Trash count 5'], ['Trash 30s', 'T* 40s']), [60, -5, 40]);
  assert.deepEqual(texts('Trash', ['Trash never'], ['Trash 30s', '* 40s']), []);
  assert.deepEqual(texts('Trash', ['* 60s', 'Trash never'], []), []);
  assert.deepEqual(texts('Trash', ['Trash 60s'], ['* never', '* 30s']), [60]);
  assert.deepEqual(texts('Trash/Old', ['* never'], ['Trash/* 30s']), []);
  assert.deepEqual(texts('INBOX', ['inbox 1s'], ['INBOX 2s', 'trash 3s']), [1]);
});

test('a pattern matches as a regular expression of it does', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '/', 'é', '.'), maxLength: 12 });
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '?', '.'), maxLength: 8 });
  fc.assert(
    fc.property(pattern, text, (each, name) => {
      const source = each.replaceAll('.', '\\.').replaceAll('?', '.').replaceAll('*', '.*');
      assert.equal(matches(each, name), new RegExp(`^${source}$`).test(name));
    }),
    { numRuns: 2000 },
  );
});

test('any rules leave what a naive reading of them leaves', async (context) => {
  const { fill, uids, expire } = await open(context);
  const rule = fc.oneof(
    fc.record({
      does: fc.constant('age' as const),
      ageMs: fc.integer({ min: 1, max: 9 }).map((n) => n * SECOND),
      isSeenOnly: fc.boolean(),
      over: fc.constantFrom(0, 5),
    }),
    fc.record({ does: fc.constant('count' as const), count: fc.integer({ min: 1, max: 8 }) }),
  );
  const message = fc.record({
    age: fc.integer({ min: 0, max: 10 }),
    flags: fc.constantFrom(0, SEEN, FLAGGED, SEEN | FLAGGED),
    size: fc.constantFrom(5, 6),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(rule, { maxLength: 3 }), fc.array(message, { maxLength: 12 }), async (made, messages) => {
      await fill('Trash', messages);
      await expire({ ...NONE, own: made.map((each) => ({ folder: 'Trash', ...each })) });
      const left = messages.flatMap(({ age, flags, size }, i) => {
        const isTaken = made.some((each) =>
          each.does === 'count'
            ? messages.length - i > each.count
            : age * SECOND >= each.ageMs && size > each.over && (!each.isSeenOnly || (flags & SEEN) !== 0),
        );
        return isTaken && (flags & FLAGGED) === 0 ? [] : [i + 1];
      });
      assert.deepEqual(uids('Trash'), left);
    }),
    { numRuns: 100 },
  );
});
