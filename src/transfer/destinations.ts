// The queue by destination: what waits for each host, how long it has, and what was said last.
//
// In      a reader; which rows are meant (selector.ts)
// Out     a line a destination that has some of them, most rows first
// Limits  PAGE_ROWS rows of the queue a read, a turn of the thread between two; one line in memory for each destination

import { HOUR_MS, MINUTE_MS } from '../base/duration.ts';
import { idOf, type QueueRowId } from '../base/ids.ts';
import type { Reader, Row, Value } from '../database/operation.ts';
import { conditionOf, type QueueSelector } from './selector.ts';

const PAGE_ROWS = 5000;
/** Rows below an age stand in the column of that age; what is older than the last, behind it. */
const AGES_MS = [MINUTE_MS, 10 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS];

/** What `waypost queue list --by destination` prints; the keys of its JSON. */
export interface QueuedDestination {
  readonly channel: string;
  /** `''`: this host. Of rows that routing holds: what they wait for. */
  readonly destination: string;
  readonly rows: number;
  /** Of them. */
  readonly held: number;
  /** Rows by the time since they came: under 1 m, 10 m, 1 h, 6 h, 1 d, older. */
  readonly ages: readonly number[];
  /** When the oldest came. */
  readonly oldest: string;
  /** What the last attempt of all said, where there has been one. */
  readonly reason: string | null;
}

interface Gathered {
  readonly channel: string;
  readonly destination: string;
  rows: number;
  held: number;
  readonly ages: number[];
  oldestAt: number;
  lastAttemptAt: number;
  reason: string | null;
}

export async function queuedDestinations(
  reader: Reader,
  selector: QueueSelector,
  now: number,
): Promise<QueuedDestination[]> {
  const [condition, values] = conditionOf(selector, now);
  const gathered = new Map<string, Gathered>();
  for (let after: QueueRowId | undefined = idOf<QueueRowId>(0); after !== undefined; ) {
    const { rows, last } = readPage(reader, { after, condition, values });
    for (const row of rows) count(gathered, row, now);
    after = last;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return [...gathered.values()]
    .toSorted((a, b) => b.rows - a.rows || (a.destination < b.destination ? -1 : 1))
    .map(({ channel, destination, rows, held, ages, oldestAt, reason }) => {
      const oldest = new Date(oldestAt).toISOString();
      return { channel, destination, rows, held, ages, oldest, reason };
    });
}

interface Page {
  readonly after: QueueRowId;
  readonly condition: string;
  readonly values: readonly Value[];
}

/** Of the next PAGE_ROWS rows those that are meant. `last`: where the next page begins; undefined behind the last row. */
function readPage(reader: Reader, { after, condition, values }: Page): { rows: Row[]; last: QueueRowId | undefined } {
  return reader.snapshot(() => {
    const end = reader.get(
      'SELECT max(id) AS last FROM (SELECT id FROM queue WHERE id > ? ORDER BY id LIMIT +?)',
      after,
      PAGE_ROWS,
    )?.['last'];
    if (typeof end !== 'number') return { rows: [], last: undefined };
    const rows = reader.all(
      `SELECT id, channel, destination, state, created, last_attempt, remote, last_error FROM queue
       WHERE id > ? AND id <= ? AND ${condition}`,
      after,
      end,
      ...values,
    );
    return { rows, last: idOf<QueueRowId>(end) };
  });
}

function count(gathered: Map<string, Gathered>, row: Row, now: number): void {
  const channel = String(row['channel']);
  const destination = String(row['destination']);
  const createdAt = Number(row['created']);
  const key = `${channel} ${destination}`;
  let line = gathered.get(key);
  if (line === undefined) {
    const none = {
      rows: 0,
      held: 0,
      ages: [...AGES_MS, 0].fill(0),
      oldestAt: createdAt,
      lastAttemptAt: 0,
      reason: null,
    };
    line = { channel, destination, ...none };
    gathered.set(key, line);
  }
  line.rows++;
  if (row['state'] === 'held') line.held++;
  const younger = AGES_MS.findIndex((age) => now - createdAt < age);
  line.ages[younger < 0 ? AGES_MS.length : younger]!++;
  line.oldestAt = Math.min(line.oldestAt, createdAt);
  const lastAttemptAt = Number(row['last_attempt'] ?? 0);
  if (row['last_error'] === null || lastAttemptAt < line.lastAttemptAt) return;
  line.lastAttemptAt = lastAttemptAt;
  line.reason = row['remote'] === null ? String(row['last_error']) : `${row['remote']}: ${row['last_error']}`;
}
