// Which rows are due: those that nobody works on and whose time has come, without what has enough to do.
//
// In      queue time; what is excepted: destinations, channels
// Out     rows, half of them tried for the first time and half tried before, so that neither keeps the other waiting
// Cost    of rows that have not been tried, what is excepted is not read: the index is entered again behind it. Of the others it is
//         passed over row by row, in order of time; who asks says from when on
// Limits  `limit` rows a call

import type { Reader, Value } from '../database/operation.ts';
import { keyParts, type QueueRow, queueRow, REPORTS } from './queue.ts';

/** What is not to be picked. */
export interface Except {
  /** See workKey: they have enough to do. */
  readonly keys: readonly string[];
  /** Names of channels that are paused or have enough to do. A report is made all the same: it is mail of its own. */
  readonly channels: readonly string[];
}

/** Of rows that have been tried: due after `after`, at `now` at the latest. Queue time. */
export interface DueTime {
  readonly after: number;
  readonly now: number;
}

const DUE = `lease = 0 AND state <> 'held' AND release_at IS NULL`;
const NOT_EXCEPTED = `CASE WHEN state IN ('failed', 'done') THEN '${REPORTS}' ELSE channel || char(10) || destination END
  NOT IN (SELECT value FROM json_each(?))
  AND (state IN ('failed', 'done') OR channel NOT IN (SELECT value FROM json_each(?)))`;

export interface DueRows {
  readonly fresh: readonly QueueRow[];
  readonly retried: readonly QueueRow[];
}

export function dueRows(reader: Reader, time: DueTime, except: Except, limit: number): DueRows {
  const half = Math.ceil(limit / 2);
  return reader.snapshot(() => ({
    fresh: freshRows(reader, except, half),
    retried: reader
      .all(
        `SELECT * FROM queue WHERE ${DUE} AND next_attempt > ? AND next_attempt <= ? AND ${NOT_EXCEPTED}
         ORDER BY next_attempt LIMIT +?`,
        Math.max(0, time.after),
        time.now,
        JSON.stringify(except.keys),
        JSON.stringify(except.channels),
        half,
      )
      .map(queueRow),
  }));
}

function freshRows(reader: Reader, except: Except, limit: number): QueueRow[] {
  const rows: QueueRow[] = [];
  const take = (where: string, ...parameters: Value[]): void => {
    if (rows.length >= limit) return;
    const sql = `SELECT * FROM queue WHERE ${DUE} AND next_attempt = 0 AND ${where} LIMIT +?`;
    for (const row of reader.all(sql, ...parameters, limit - rows.length)) rows.push(queueRow(row));
  };
  if (!except.keys.includes(REPORTS)) take("state IN ('failed', 'done')");
  for (const { channel, from, to } of gapsOf(except)) {
    if (channel === undefined) take(`state = 'waiting' AND channel >= ? AND channel < ?`, from, to);
    else take(`state = 'waiting' AND channel = ? AND destination >= ? AND destination < ?`, channel, from, to);
  }
  return rows;
}

/** What is not excepted, as ranges that the index can be entered at: of channels, or of one channel's destinations. */
interface Gap {
  readonly channel?: string;
  /** Part of it. */
  readonly from: string;
  /** Not part of it. */
  readonly to: string;
}

/** Behind every name. */
const END = '\u{10ffff}';

function gapsOf({ keys, channels }: Except): Gap[] {
  const destinations = new Map<string, string[]>();
  for (const key of keys) {
    const place = keyParts(key);
    if (place === undefined || channels.includes(place.channel)) continue;
    destinations.set(place.channel, [...(destinations.get(place.channel) ?? []), place.destination]);
  }
  const gaps: Gap[] = [];
  let from = '';
  for (const channel of [...new Set([...channels, ...destinations.keys()])].sort(order)) {
    gaps.push({ from, to: channel });
    from = next(channel);
    const some = destinations.get(channel);
    if (some === undefined) continue;
    let start = '';
    for (const destination of some.sort(order)) {
      gaps.push({ channel, from: start, to: destination });
      start = next(destination);
    }
    gaps.push({ channel, from: start, to: END });
  }
  gaps.push({ from, to: END });
  return gaps;
}

/** The text that comes right behind this one. */
function next(text: string): string {
  return `${text}\0`;
}

/** As the index has it: by the octets of UTF-8. */
function order(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
