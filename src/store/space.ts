// Space in segments: which octets of each are no message's any more, and the operations by which bytes move.
//
// Dead    octets of records, their headers with them, whose message is gone or lies elsewhere. `segment.dead` has those whose row went,
//         from the transaction that took it; what never had a row (torn, refused, of an older format) is added once when the segment
//         is closed: its bytes less those of its rows less `dead`, which is the same whatever goes meanwhile
// Moving  the bytes are written and synced elsewhere, then each row is changed that still says the old place: a message that was
//         expunged meanwhile, or is there no more, has a dead copy in the new segment, and nothing else
// Limits  STORE_SLICE of messages an operation

import type { MessageId, SegmentId } from '../base/ids.ts';
import { idOf } from '../base/ids.ts';
import { operation, type Reader, type Transaction } from '../database/operation.ts';
import { RECORD_HEADER_BYTES } from './segment.ts';

/** What a record takes whose bytes are `stored` octets. */
export function recordBytes(stored: number): number {
  return RECORD_HEADER_BYTES + stored;
}

/** In the transaction that takes the last reference to these bytes, or that does not refer to them. */
export async function addDead(tx: Transaction, segment: SegmentId, stored: number): Promise<void> {
  await tx.run('UPDATE segment SET dead = dead + ? WHERE id = ?', recordBytes(stored), segment);
}

/** A segment that is closed and not yet counted. */
export interface CountedSegment {
  readonly segment: SegmentId;
  /** Of its file. */
  readonly bytes: number;
  /** What never had a row. */
  readonly torn: number;
}

/** `fileBytes` of a closed segment; undefined: the file is gone, and nothing of it can be freed. One state of the database. */
export function countSegment(reader: Reader, segment: SegmentId, fileBytes: number | undefined): CountedSegment {
  const [row] = reader.arrays(
    `SELECT s.dead, (SELECT coalesce(sum(${RECORD_HEADER_BYTES} + coalesce(m.stored, m.length)), 0) FROM message m
       WHERE m.segment = s.id) FROM segment s WHERE s.id = ?`,
    segment,
  );
  const known = Number(row?.[0] ?? 0) + Number(row?.[1] ?? 0);
  const bytes = fileBytes ?? known;
  return { segment, bytes, torn: Math.max(0, bytes - known) };
}

export const countSegments = operation(
  'store.countSegments',
  async (tx, args: { readonly segments: readonly CountedSegment[] }) => {
    for (const { segment, bytes, torn } of args.segments)
      await tx.run(
        'UPDATE segment SET bytes = ?, dead = dead + ?, counted = 1 WHERE id = ? AND counted = 0',
        bytes,
        torn,
        segment,
      );
  },
);

/** Asks the threads that have these open to close them. */
export const endSegments = operation('store.endSegments', (tx, args: { readonly segments: readonly SegmentId[] }) => {
  for (const segment of args.segments) tx.afterCommit({ kind: 'segment-end', segment });
});

/** Bytes that have been written and synced at another place. */
export interface MovedBytes {
  readonly message: MessageId;
  /** In the segment that they leave. */
  readonly from: { readonly offset: number; readonly stored: number };
  readonly to: { readonly segment: SegmentId; readonly offset: number; readonly stored: number | null };
  readonly codec: number;
}

/** Gives how many rows were still where they were said to be, and are now where the bytes are. */
export const moveMessages = operation(
  'store.moveMessages',
  async (tx, args: { readonly from: SegmentId; readonly moved: readonly MovedBytes[] }) => {
    let messages = 0;
    let dead = 0;
    // One that was closed behind a thread that died may be gone, if this comes late.
    const known = new Set<SegmentId>();
    for (const segment of new Set(args.moved.map(({ to }) => to.segment)))
      if ((await tx.get('SELECT 1 FROM segment WHERE id = ?', segment)) !== undefined) known.add(segment);
    for (const { message, from, to, codec } of args.moved) {
      if (!known.has(to.segment)) continue;
      const changed = await tx.run(
        `UPDATE message SET segment = ?, offset = ?, stored = ?, codec = ? WHERE id = ? AND segment = ? AND offset = ?`,
        to.segment,
        to.offset,
        to.stored,
        codec,
        message,
        args.from,
        from.offset,
      );
      messages += changed;
      dead += changed * recordBytes(from.stored);
    }
    await tx.run('UPDATE segment SET dead = dead + ? WHERE id = ?', dead, args.from);
    return messages;
  },
);

/** What could be moved has been: the segment goes, or what is left of it stays for good. */
export const endRewrite = operation('store.endRewrite', async (tx, args: { readonly segment: SegmentId }) => {
  const { segment } = args;
  const isUsed = (await tx.get('SELECT 1 FROM message WHERE segment = ? LIMIT 1', segment)) !== undefined;
  if (isUsed) await tx.run('UPDATE segment SET stuck = 1 WHERE id = ?', segment);
  else if ((await tx.run('DELETE FROM segment WHERE id = ?', segment)) > 0)
    tx.afterCommit({ kind: 'segment', segment });
});

/** Compressing it is not worth it. */
export const leavePlain = operation('store.leavePlain', async (tx, args: { readonly segment: SegmentId }) => {
  await tx.run('UPDATE segment SET packed = 1 WHERE id = ?', args.segment);
});

/** A closed segment that is to be rewritten. */
export interface RewritableSegment {
  readonly segment: SegmentId;
  readonly isPacked: boolean;
}

/** Not to be tried now. */
type Passed = ReadonlyMap<SegmentId, unknown>;

/** Of those of which so many quarters are dead, the one of which most is. */
export function sparsest(reader: Reader, quarters: number, passed: Passed): RewritableSegment | undefined {
  const rows = reader.arrays(
    `SELECT id, packed FROM segment
     WHERE counted = 1 AND stuck = 0 AND dead * 4 >= bytes AND dead * 4 >= bytes * ?
     ORDER BY dead * 1000 / bytes DESC LIMIT +?`,
    quarters,
    passed.size + 1,
  );
  return firstOf(rows, passed);
}

/** The one that has been closed for longest, before `until`, and has not been compressed. */
export function longestPlain(reader: Reader, until: number, passed: Passed): RewritableSegment | undefined {
  const rows = reader.arrays(
    `SELECT id, packed FROM segment WHERE counted = 1 AND stuck = 0 AND packed = 0 AND closed <= ?
     ORDER BY closed LIMIT +?`,
    until,
    passed.size + 1,
  );
  return firstOf(rows, passed);
}

function firstOf(rows: readonly (readonly unknown[])[], passed: Passed): RewritableSegment | undefined {
  for (const [id, packed] of rows) {
    const segment = idOf<SegmentId>(Number(id));
    if (!passed.has(segment)) return { segment, isPacked: packed === 1 };
  }
  return undefined;
}
