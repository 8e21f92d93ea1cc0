// A mailbox, its owner and two readers against a mailbox of plain maps: whoever sets what, each sees the own flags.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type AccountId, idOf } from '../base/ids.ts';
import { INBOX } from './accounts.ts';
import { asReaderFinds, changesSince } from './changes.ts';
import { copy, move } from './copy.ts';
import { append } from './deliver.ts';
import { expunge } from './expunge.ts';
import { changeFlags, DELETED, FLAGGED, type FlagChange, type FlagSet, SEEN } from './flags.ts';
import { storeFlags } from './flags-change.ts';
import type { MailboxAccess } from './mailbox-key.ts';
import { findMailbox } from './mailboxes.ts';
import { flagsBetween } from './messages.ts';
import { TestStore, uidRange } from './testing.ts';

type Status = MailboxAccess['status'];

/** Of one message: what the folder has, and what each reader has set. */
interface NaiveMessage {
  folder: FlagSet;
  readonly readers: Map<number, FlagSet>;
}

function seenBy({ folder, readers }: NaiveMessage, who: number, status: Status): FlagSet {
  if (who === 0 || status === 'common') return folder;
  const base = status === 'beginning' ? folder : { flags: 0, keywords: [] };
  const { flags, keywords } = readers.get(who) ?? base;
  return { flags: (folder.flags & DELETED) | (flags & ~DELETED), keywords };
}

function set(message: NaiveMessage, who: number, status: Status, change: FlagChange, by: FlagSet): void {
  const before = seenBy(message, who, status);
  const after = changeFlags(before, change, by);
  if (who === 0 || status === 'common') {
    message.folder = after;
    return;
  }
  message.folder = { ...message.folder, flags: (message.folder.flags & ~DELETED) | (after.flags & DELETED) };
  const isSame = (before.flags ^ (after.flags & ~DELETED)) === (before.flags & DELETED);
  if (!isSame || before.keywords.join() !== after.keywords.join()) message.readers.set(who, after);
}

const uid = fc.integer({ min: 1, max: 8 });
const who = fc.integer({ min: 0, max: 2 });
const flags = fc.record({
  flags: fc.constantFrom(0, SEEN, DELETED, SEEN | FLAGGED),
  keywords: fc.subarray(['Work', 'Home']),
});
const step = fc.oneof(
  fc.record({
    do: fc.constantFrom('append' as const, 'copy' as const, 'move' as const, 'expunge' as const),
    uid,
    who,
    flags,
  }),
  fc.record({
    do: fc.constant('flags' as const),
    uid,
    who,
    change: fc.constantFrom('add' as const, 'remove' as const, 'replace' as const),
    flags,
  }),
  fc.record({ do: fc.constant('follow' as const), uid, who, flags }),
);

for (const status of [undefined, 'beginning', 'common'] as const)
  test(`each reader has the own flags in a mailbox of another's (${status ?? 'none to begin with'})`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const store = new TestStore();
        const { reader, writer } = store.database;
        try {
          const people: AccountId[] = [await store.account(), await store.account(), await store.account()];
          const owner = people[0]!;
          const accessOf = (at: number): MailboxAccess => ({ owner, mailbox: INBOX, reader: people[at]!, status });
          const naive = new Map<number, NaiveMessage>();
          const known = people.map(() => ({
            modseq: idOf<never>(0),
            lastUid: idOf<never>(0),
            held: new Map<number, string>(),
          }));
          let next = 1;
          /** What one who follows the changes holds in the end. */
          const follow = (at: number): void => {
            const view = known[at]!;
            for (let more = true; more; ) {
              const changes = changesSince(reader, accessOf(at), view)!;
              for (const gone of changes.vanished) view.held.delete(gone);
              for (const changed of changes.changed)
                if (changed.uid <= view.lastUid) view.held.set(changed.uid, textOf(changed));
              for (const added of changes.added) {
                view.held.set(added, textOf(flagsBetween(reader, accessOf(at), [added, added])[0]!));
                view.lastUid = added as never;
              }
              view.modseq = changes.modseq as never;
              ({ more } = changes);
            }
          };
          for (const { do: verb, uid, who, ...more } of [
            ...Array.from({ length: 3 }, () => ({
              do: 'append' as const,
              uid: 1,
              who: 0,
              flags: { flags: 0, keywords: [] },
            })),
            ...steps,
          ]) {
            const at = { ...accessOf(who), ranges: [uidRange(uid, uid + 2)] };
            const inRange = [...naive].filter(([each]) => each >= uid && each <= uid + 2).map(([, message]) => message);
            switch (verb) {
              case 'append': {
                const intake = store.intake();
                await intake.write(Buffer.from('x'));
                const { row, pending } = await intake.finish(3, 'any');
                const message = { message: row, flags: more.flags, internalDate: 4 };
                await writer.execute(append, { owner, mailbox: 'INBOX', messages: [message], by: accessOf(who) });
                pending.settle();
                naive.set(next++, newMessage(who, status, more.flags));
                break;
              }
              case 'copy':
              case 'move': {
                const args = { ...at, target: 'INBOX', targetOwner: owner, targetStatus: status };
                await writer.execute(verb === 'copy' ? copy : move, args);
                for (const message of inRange) naive.set(next++, newMessage(who, status, seenBy(message, who, status)));
                if (verb === 'move')
                  for (let gone = uid; gone <= uid + 2; gone++) if (gone < next - inRange.length) naive.delete(gone);
                break;
              }
              case 'expunge':
                await writer.execute(expunge, { ...at, deletedOnly: true });
                for (const [each, { folder }] of naive)
                  if (each >= uid && each <= uid + 2 && (folder.flags & DELETED) !== 0) naive.delete(each);
                break;
              case 'flags': {
                const { change, flags: by } = more as { change: FlagChange; flags: FlagSet };
                await writer.execute(storeFlags, { ...at, change, by });
                for (const message of inRange) set(message, who, status, change, by);
                break;
              }
              default:
                follow(who);
            }
          }
          for (const at of people.keys()) {
            follow(at);
            const shown = new Map(
              flagsBetween(reader, accessOf(at), uidRange(1, 1e9)).map((each) => [Number(each.uid), textOf(each)]),
            );
            const expected = new Map([...naive].map(([each, message]) => [each, textOf(seenBy(message, at, status))]));
            assert.deepEqual(shown, new Map([...expected].sort(([a], [b]) => a - b)));
            assert.deepEqual(new Map([...known[at]!.held].sort(([a], [b]) => a - b)), shown);
            const unseen = [...naive.values()].filter(
              (message) => (seenBy(message, at, status).flags & SEEN) === 0,
            ).length;
            const row = asReaderFinds(reader, accessOf(at), findMailbox(reader, owner, 'INBOX')!);
            assert.equal(row.unseen, unseen);
          }
          assert.deepEqual(await store.problems(), []);
        } finally {
          await store.close();
        }
      }),
      { numRuns: 25 },
    );
  });

function newMessage(who: number, status: Status, flags: FlagSet): NaiveMessage {
  if (who === 0 || status === 'common') return { folder: flags, readers: new Map() };
  const isSet = (flags.flags & ~DELETED) !== 0 || flags.keywords.length > 0;
  return { folder: { flags: flags.flags & DELETED, keywords: [] }, readers: new Map(isSet ? [[who, flags]] : []) };
}

function textOf({ flags, keywords }: FlagSet): string {
  return [flags, ...keywords].join(' ');
}
