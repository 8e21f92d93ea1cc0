import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AccountId, idOf } from '../base/ids.ts';
import { INBOX } from './accounts.ts';
import { changesSince } from './changes.ts';
import { copy } from './copy.ts';
import { expunge } from './expunge.ts';
import { DELETED, FLAGGED, type FlagChange, SEEN } from './flags.ts';
import { storeFlags } from './flags-change.ts';
import { ownMailbox } from './mailbox-key.ts';
import { flagsBetween, type MessageFlags } from './messages.ts';
import { TestStore, uidRange } from './testing.ts';

/** What a session holds of a mailbox, kept by changesSince alone. */
class View {
  readonly messages = new Map<number, MessageFlags>();
  modseq = 0;
  last = 0;

  follow({ database: { reader } }: TestStore, account: AccountId): void {
    const access = ownMailbox(account, INBOX);
    for (let more = true; more; ) {
      const changes = changesSince(reader, access, { modseq: idOf(this.modseq), lastUid: idOf(this.last) })!;
      for (const uid of changes.vanished) this.messages.delete(uid);
      for (const changed of changes.changed) if (changed.uid <= this.last) this.messages.set(changed.uid, changed);
      for (const uid of changes.added) {
        this.messages.set(uid, flagsBetween(reader, access, [uid, uid])[0]!);
        this.last = uid;
      }
      ({ modseq: this.modseq, more } = changes);
    }
  }
}

type Step =
  | { readonly do: 'append' | 'copy' | 'follow'; readonly uid: number }
  | { readonly do: 'expunge'; readonly uid: number; readonly deletedOnly: boolean }
  | {
      readonly do: 'flags';
      readonly uid: number;
      readonly change: FlagChange;
      readonly flags: number;
      readonly words: string[];
    };

const uid = fc.integer({ min: 1, max: 8 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('append' as const, 'copy' as const, 'follow' as const), uid }),
  fc.record({ do: fc.constant('expunge' as const), uid, deletedOnly: fc.boolean() }),
  fc.record({
    do: fc.constant('flags' as const),
    uid,
    change: fc.constantFrom('add' as const, 'remove' as const, 'replace' as const),
    flags: fc.constantFrom(0, SEEN, DELETED, SEEN | FLAGGED),
    words: fc.subarray(['Work', 'Home']),
  }),
);

async function take(store: TestStore, account: AccountId, view: View, step: Step): Promise<void> {
  const { writer } = store.database;
  const at = { ...ownMailbox(account, INBOX), ranges: [uidRange(step.uid, step.uid + 2)] };
  switch (step.do) {
    case 'append':
      await store.append(account, 'INBOX', 'x');
      return;
    case 'copy':
      await writer.execute(copy, { ...at, target: 'INBOX' });
      return;
    case 'expunge':
      await writer.execute(expunge, { ...at, deletedOnly: step.deletedOnly });
      return;
    case 'flags':
      await writer.execute(storeFlags, { ...at, change: step.change, by: { flags: step.flags, keywords: step.words } });
      return;
    case 'follow':
      view.follow(store, account);
  }
}

test('a session that follows the changes, however seldom, holds what a reading of all gives', async () => {
  const steps = fc.array(step, { minLength: 5, maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(steps, async (steps) => {
      const store = new TestStore();
      try {
        const account = await store.account();
        const view = new View();
        for (let i = 0; i < 4; i++) await store.append(account, 'INBOX', 'x');
        // From here on the flags of these come as a change, not as a new message.
        view.follow(store, account);
        for (const step of steps) await take(store, account, view, step);
        view.follow(store, account);
        const all = flagsBetween(store.database.reader, ownMailbox(account, INBOX), [
          idOf(1),
          idOf(Number.MAX_SAFE_INTEGER),
        ]);
        assert.deepEqual(
          [...view.messages.values()].sort((a, b) => a.uid - b.uid),
          all,
        );
        assert.deepEqual(await store.problems(), []);
      } finally {
        await store.close();
      }
    }),
    { numRuns: 25 },
  );
});
