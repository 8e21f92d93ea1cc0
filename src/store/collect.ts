// Removal of what has no reference any more: segments without messages, rows of deleted mailboxes, old traces of expunged
// messages.
//
// A segment may go only when it is closed: its `closed` comes over the same port as the accepts that name it, after the
// last of them. The file is unlinked after the commit; a reader that finds no file reads the row once more.

import { type AccountId, idOf, type MailboxId, type SegmentId } from '../base/ids.ts';
import { STORE_SLICE_MESSAGES } from '../base/limits.ts';
import { operation, type Reader } from '../database/operation.ts';
import { removeReference } from './expunge.ts';

export const openSegment = operation(
  'store.openSegment',
  async (
    tx,
    args: { readonly segment: SegmentId; readonly thread: number; readonly at: number; readonly isPacked?: boolean },
  ) => {
    await tx.run(
      'INSERT INTO segment (id, thread, opened, packed) VALUES (?, ?, ?, ?)',
      args.segment,
      args.thread,
      args.at,
      args.isPacked === true ? 1 : 0,
    );
  },
);

export const closeSegment = operation(
  'store.closeSegment',
  async (tx, args: { readonly segment: SegmentId; readonly at: number; readonly bytes: number }) => {
    await tx.run('UPDATE segment SET closed = ?, bytes = ? WHERE id = ?', args.at, args.bytes, args.segment);
  },
);

/** A thread has died, and what it had posted has been executed: nothing more comes for the segments it had open. */
export const closeSegmentsOf = operation(
  'store.closeSegmentsOf',
  async (tx, args: { readonly thread: number; readonly at: number }) => {
    await tx.run(
      'UPDATE segment SET closed = ? WHERE closed IS NULL AND thread = ? AND opened <= ?',
      args.at,
      args.thread,
      args.at,
    );
  },
);

/** At a start no thread writes to the segments of the last run. */
export const closeAllSegments = operation('store.closeAllSegments', async (tx, args: { readonly at: number }) => {
  await tx.run('UPDATE segment SET closed = ? WHERE closed IS NULL', args.at);
});

/** Closed segments that are looked at: some milliseconds of the writer. */
const SEGMENTS_A_ROUND = 2000;
/** Operations on the store during which the trace of an expunged message is kept. A session that slept longer has
 *  to open its mailbox anew. */
const VANISHED_KEPT_MODSEQS = 10_000_000;
const VANISHED_ROUND = 5000;

export interface CollectArguments {
  /** Where the last slice ended: segments above it are looked at. */
  readonly after: SegmentId;
  /** Instead of VANISHED_KEPT_MODSEQS. */
  readonly keptModseqs?: number;
}

/** Before the first segment. */
export const NO_SEGMENT = idOf<SegmentId>(0);

/** One slice of the work; `more` says that the next should follow soon, `after` where it begins. */
export const collect = operation('store.collect', async (tx, args: CollectArguments) => {
  const segments = await tx.arrays(
    `SELECT id, EXISTS (SELECT 1 FROM message WHERE message.segment = segment.id) FROM segment
     WHERE id > ? AND closed IS NOT NULL ORDER BY id LIMIT +?`,
    args.after,
    SEGMENTS_A_ROUND,
  );
  for (const [id, isUsed] of segments) {
    if (isUsed === 1) continue;
    const segment = idOf<SegmentId>(id);
    await tx.run('DELETE FROM segment WHERE id = ?', segment);
    tx.afterCommit({ kind: 'segment', segment });
  }
  const doomed = await tx.get('SELECT account, mailbox FROM doomed_mailbox LIMIT 1');
  if (doomed !== undefined) {
    const owner = idOf<AccountId>(doomed['account']);
    const mailbox = idOf<MailboxId>(doomed['mailbox']);
    const rows = await tx.arrays(
      'SELECT uid, message FROM mailbox_message WHERE account = ? AND mailbox = ? LIMIT +?',
      owner,
      mailbox,
      STORE_SLICE_MESSAGES,
    );
    for (const [uid, message] of rows)
      await removeReference(tx, { owner, mailbox, uid: idOf(uid), message: idOf(message) });
    if (rows.length < STORE_SLICE_MESSAGES) {
      await tx.run('DELETE FROM vanished WHERE account = ? AND mailbox = ?', owner, mailbox);
      await tx.run('DELETE FROM keyword WHERE account = ? AND mailbox = ?', owner, mailbox);
      await tx.run('DELETE FROM reader_mailbox WHERE owner = ? AND mailbox = ?', owner, mailbox);
      await tx.run('DELETE FROM doomed_mailbox WHERE account = ? AND mailbox = ?', owner, mailbox);
    }
  }
  const kept = args.keptModseqs ?? VANISHED_KEPT_MODSEQS;
  const old = await tx.run(
    `DELETE FROM vanished WHERE (account, mailbox, modseq, uid) IN
       (SELECT account, mailbox, modseq, uid FROM vanished
        WHERE modseq < (SELECT value FROM counter WHERE name = 'modseq') - ? LIMIT +?)`,
    kept,
    VANISHED_ROUND,
  );
  // What is below it may lack traces: who knows a mailbox as of then is told so (changes.ts).
  if (old > 0)
    await tx.run(
      `INSERT OR REPLACE INTO counter (name, value)
       SELECT 'vanished', value - ? FROM counter WHERE name = 'modseq'`,
      kept,
    );
  const isCut = segments.length === SEGMENTS_A_ROUND;
  const after = isCut ? idOf<SegmentId>(segments.at(-1)![0]) : NO_SEGMENT;
  return { more: isCut || doomed !== undefined || old === VANISHED_ROUND, after };
});

/** The highest id in the store, so that new ones lie above it whatever the clock says. */
export function highestId(reader: Reader): number {
  const row = reader.get(
    'SELECT max(coalesce((SELECT max(id) FROM message), 0), coalesce((SELECT max(id) FROM segment), 0)) AS id',
  );
  return Number(row?.['id'] ?? 0);
}
