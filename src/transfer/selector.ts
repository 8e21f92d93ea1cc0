// Which queue rows are meant, by what lists show of them: the filters of the queue commands.
//
// In      a selector: what it does not say does not matter; several keys are all to hold
// Out     rows in order of id, a slice of the queue at a time, so that a long queue holds up nothing else of a thread
// Limits  SCAN_ROWS rows are looked at in one call, whether they are meant or not

import { idOf, type MessageId, type QueueRowId } from '../base/ids.ts';
import type { Reader, Value } from '../database/operation.ts';
import type { HeldBy, QueueState } from './queue.ts';

const SCAN_ROWS = 2000;

export interface QueueSelector {
  /** The name of a channel. */
  readonly channel?: string;
  readonly destination?: string;
  /** Of the recipient, as addresses have it. */
  readonly domain?: string;
  /** As lists show them, in any case; the null sender is `''`. */
  readonly sender?: string;
  readonly recipient?: string;
  /** `active`: leased; `waiting`: not. */
  readonly state?: QueueState | 'active';
  readonly heldBy?: HeldBy;
  /** In the queue for so long or longer. */
  readonly olderMs?: number;
  /** What the last attempt said has this in it, in any case. */
  readonly reason?: string;
}

export interface SelectedRow {
  readonly id: QueueRowId;
  readonly message: MessageId;
}

export interface SelectedSlice {
  readonly rows: readonly SelectedRow[];
  /** Where the next slice begins; undefined behind the last row. */
  readonly after: QueueRowId | undefined;
}

export interface SliceOf {
  /** Rows above this id. */
  readonly after: number;
  /** Rows up to this id, with it: those that come later are not meant. */
  readonly upTo?: number;
  /** Wall clock. */
  readonly now: number;
}

export function selectedRows(reader: Reader, selector: QueueSelector, slice: SliceOf): SelectedSlice {
  const [condition, values] = conditionOf(selector, slice.now);
  const { after, upTo = Number.MAX_SAFE_INTEGER } = slice;
  return reader.snapshot(() => {
    const scanned = reader.get(
      'SELECT count(*) AS n, max(id) AS last FROM (SELECT id FROM queue WHERE id > ? AND id <= ? ORDER BY id LIMIT +?)',
      after,
      upTo,
      SCAN_ROWS,
    );
    const last = Number(scanned?.['last'] ?? 0);
    const rows = reader.arrays(
      `SELECT id, message FROM queue WHERE id > ? AND id <= ? AND ${condition} ORDER BY id`,
      after,
      last,
      ...values,
    );
    return {
      rows: rows.map(([id, message]) => ({ id: idOf<QueueRowId>(id), message: idOf<MessageId>(message) })),
      after: Number(scanned?.['n']) < SCAN_ROWS ? undefined : idOf<QueueRowId>(last),
    };
  });
}

/** Of a row of the queue, with its values in order. `now`: wall clock. */
export function conditionOf(selector: QueueSelector, now: number): [condition: string, values: Value[]] {
  const conditions: string[] = [];
  const values: Value[] = [];
  const where = (condition: string, ...own: Value[]): void => {
    conditions.push(condition);
    values.push(...own);
  };
  const { channel, destination, domain, sender, recipient, state, heldBy, olderMs, reason } = selector;
  if (channel !== undefined) where('channel = ?', channel);
  if (destination !== undefined) where('destination = ?', destination);
  if (domain !== undefined) where('substr(lower(recipient), -length(?)) = lower(?)', `@${domain}`, `@${domain}`);
  if (sender !== undefined) where('lower(sender) = lower(?)', sender);
  if (recipient !== undefined) where('lower(recipient) = lower(?)', recipient);
  if (state === 'active') where('lease > 0');
  else if (state !== undefined) where('state = ? AND lease = 0', state);
  if (heldBy !== undefined) where('held_by = ?', heldBy);
  if (olderMs !== undefined) where('created <= ?', now - olderMs);
  if (reason !== undefined) where("instr(lower(coalesce(last_error, '')), lower(?)) > 0", reason);
  return [conditions.length === 0 ? '1' : conditions.join(' AND '), values];
}
