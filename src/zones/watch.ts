// Domains whose records stand at name servers of others, and are looked at there.
//
// In      a publication, or the change of a domain that is somebody else's; the time
// Out     a row a domain: since when it is watched, in which second of the period it is looked at for good, what was found
// States  begun (looked at often, until all was seen or WATCH_OFTEN_MS are over) -> once each WATCH_PERIOD_S. Begun again by each
//         publication; ended when the domain is gone, or in a zone of ours
// A row is written when something has changed, never for a look alone: when the next one is due follows from the row.

import { TENANT } from '../base/tenant.ts';
import type { Reader, Transaction, Value } from '../database/operation.ts';
import { nameOfPath } from './path.ts';

/** Each domain once. */
export const WATCH_PERIOD_S = 6 * 3600;
/** From the beginning on, until all was seen. */
export const WATCH_OFTEN_MS = 600_000;

export interface Watch {
  /** Another one each time that it begins again. */
  readonly number: number;
  readonly domain: string;
  /** Epoch milliseconds. */
  readonly begun: number;
  /** All was seen since then. */
  readonly isSeen: boolean;
  /** Sets that were left out, since others have written them. */
  readonly conflicts: number;
  /** Its MX names other hosts alone. */
  readonly isElsewhere: boolean;
  /** What was wrong at the last look. */
  readonly problems: readonly string[];
}

export interface BeginWatch {
  /** Of the domain. */
  readonly path: string;
  readonly now: number;
  /** Sets that the publication has left out; undefined: as many as before. */
  readonly conflicts?: number;
}

/** In the transaction of what makes the domain's records others than they were, where others serve them. */
export async function beginWatch(tx: Transaction, { path, now, conflicts }: BeginWatch): Promise<void> {
  const [before] = await tx.arrays(
    'SELECT conflicts, is_elsewhere, found FROM dns_watch WHERE tenant = ? AND path = ?',
    TENANT,
    path,
  );
  await tx.run(
    'INSERT OR REPLACE INTO dns_watch (tenant, path, begun, slot, conflicts, is_elsewhere, found) VALUES (?, ?, ?, ?, ?, ?, ?)',
    TENANT,
    path,
    now,
    slotOf(path),
    conflicts ?? before?.[0] ?? 0,
    before?.[1] ?? 0,
    before?.[2] ?? null,
  );
  tx.afterCommit({ kind: 'watch' });
}

/** The domain is gone, or others serve it no more: what was seen there says nothing of a later one of the name. */
export async function endWatch(tx: Transaction, path: string): Promise<void> {
  await tx.run('DELETE FROM dns_watch WHERE tenant = ? AND path = ?', TENANT, path);
  // By itself the planner walks through all that was seen of the tenant.
  await tx.run('DELETE FROM key_observed INDEXED BY key_observed_path WHERE tenant = ? AND path = ?', TENANT, path);
}

/** The second of the period in which a domain is looked at: spread evenly, the same at each start. FNV-1a */
function slotOf(path: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < path.length; at++) hash = Math.imul(hash ^ path.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % WATCH_PERIOD_S;
}

/** Seconds between the looks at one domain; the last one again and again. */
const STEPS_S = [1, 2, 5, 10, 20, 40, 60] as const;

/** Milliseconds after the beginning at which the next look is due; undefined: it is not looked at often any more. */
export function nextLook(afterMs: number): number | undefined {
  let at = 0;
  for (let step = 0; at <= afterMs; step++) at += STEPS_S[Math.min(step, STEPS_S.length - 1)]! * 1000;
  return at > WATCH_OFTEN_MS ? undefined : at;
}

const COLUMNS = 'number, path, begun, seen, conflicts, is_elsewhere, found';

/** The watch of a domain; undefined: nobody else publishes it. */
export function watchOf(reader: Reader, path: string): Watch | undefined {
  const [row] = reader.arrays(`SELECT ${COLUMNS} FROM dns_watch WHERE tenant = ${TENANT} AND path = ?`, path);
  return row && watch(row);
}

export async function watchIn(tx: Transaction, path: string): Promise<Watch | undefined> {
  const [row] = await tx.arrays(`SELECT ${COLUMNS} FROM dns_watch WHERE tenant = ${TENANT} AND path = ?`, path);
  return row && watch(row);
}

/** Those that have begun behind one, in the order in which they have. */
export function watchesBegun(reader: Reader, after: number, limit: number): readonly Watch[] {
  const sql = `SELECT ${COLUMNS} FROM dns_watch WHERE number > ? ORDER BY number LIMIT +?`;
  return reader.arrays(sql, after, limit).map(watch);
}

/** Domains that are due in these seconds of the period, `from` left out. */
export function watchedInSeconds(reader: Reader, from: number, to: number): readonly string[] {
  const sql = 'SELECT path FROM dns_watch WHERE slot > ? AND slot <= ? ORDER BY slot';
  return reader.arrays(sql, from, to).map(([path]) => nameOfPath(path as string));
}

/** The first second of the period behind one in which a domain is due; undefined: none is before its end. */
export function watchedNext(reader: Reader, after: number): number | undefined {
  const [[slot]] = reader.arrays('SELECT min(slot) FROM dns_watch WHERE slot > ?', after) as [[number | null]];
  return slot ?? undefined;
}

export interface WatchedDomains {
  readonly count: number;
  /** Some of them. */
  readonly domains: readonly string[];
}

/** Those whose MX names other hosts alone. */
export function domainsElsewhere(reader: Reader, limit: number): WatchedDomains {
  return watchedWhere(reader, 'is_elsewhere = 1', limit);
}

/** Those in whose place somebody else's records stand. */
export function domainsInConflict(reader: Reader, limit: number): WatchedDomains {
  return watchedWhere(reader, 'conflicts > 0', limit);
}

function watchedWhere(reader: Reader, where: 'is_elsewhere = 1' | 'conflicts > 0', limit: number): WatchedDomains {
  const [[count]] = reader.arrays(`SELECT count(*) FROM dns_watch WHERE ${where}`) as [[number]];
  const rows = reader.arrays(`SELECT path FROM dns_watch WHERE ${where} ORDER BY path LIMIT +?`, limit);
  return { count, domains: rows.map(([path]) => nameOfPath(path as string)) };
}

export async function noteLook(
  tx: Transaction,
  number: number,
  { isSeen, isElsewhere, problems }: Pick<Watch, 'isSeen' | 'isElsewhere' | 'problems'>,
): Promise<void> {
  await tx.run(
    'UPDATE dns_watch SET seen = ?, is_elsewhere = ?, found = ? WHERE number = ?',
    Number(isSeen),
    Number(isElsewhere),
    problems.length === 0 ? null : JSON.stringify(problems),
    number,
  );
}

function watch([number, path, begun, seen, conflicts, isElsewhere, found]: readonly Value[]): Watch {
  return {
    number: Number(number),
    domain: nameOfPath(path as string),
    begun: Number(begun),
    isSeen: seen === 1,
    conflicts: Number(conflicts),
    isElsewhere: isElsewhere === 1,
    problems: found === null || found === undefined ? [] : (JSON.parse(found as string) as string[]),
  };
}
