// Domains whose records are to be written at somebody else's primary: a row in the transaction that changes the domain.
//
// In      a domain's row before and after, in the transaction of its change; what a try has come to
// Out     rows of `dns_outbox`, one a domain: due at once, then after each back-off; how many wait
// States  of a row: due -> (tried) -> gone, or due again later. One that moves while it is tried stays, by its revision. That of a
//         removed domain stays until what stands of it at its primary is gone
// Never   what is to be written: that is computed at the try, so that ten changes are one update
// What an entry below a domain says that is no domain itself belongs to the nearest domain above it.

import type { Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader, Transaction, Value } from '../database/operation.ts';
import { AuthorityWalk, type ZoneStanding } from './authority.ts';
import type { ZoneRow } from './compile.ts';
import type { DomainChange } from './names.ts';
import { nameOfPath, pathOf, pathsAbove, subtreeOf } from './path.ts';
import { spread, type ZoneSettings, type ZoneSite, zoneSettingsIn } from './settings.ts';
import { beginWatch, endWatch } from './watch.ts';

export interface QueuedDomain {
  /** As path.ts writes it. */
  readonly path: string;
  readonly revision: Revision;
  /** Epoch milliseconds. */
  readonly now: number;
  /** The primary's name; none: the one that it was published at. */
  readonly server?: string | undefined;
  /** What others wrote in the place of what is wanted goes. */
  readonly isForced?: boolean;
}

/** The domain is due at once, whatever it has waited for. */
export async function queueOutbox(
  tx: Transaction,
  { path, revision, now, server, isForced }: QueuedDomain,
): Promise<void> {
  await tx.run(
    `INSERT INTO dns_outbox (tenant, path, revision, since, next_attempt, server, is_forced)
     VALUES (?, ?, ?, ?, 0, coalesce(?, (SELECT server FROM dns_published WHERE tenant = ? AND path = ? LIMIT 1), ''), ?)
     ON CONFLICT (tenant, path) DO UPDATE SET revision = excluded.revision, next_attempt = 0, attempts = 0, error = NULL,
       server = CASE excluded.server WHEN '' THEN server ELSE excluded.server END,
       is_forced = max(is_forced, excluded.is_forced)`,
    TENANT,
    path,
    revision,
    now,
    server ?? null,
    TENANT,
    path,
    isForced === true ? 1 : 0,
  );
  tx.afterCommit({ kind: 'outbox' });
}

/** Follows the change of a name's row, in its transaction, when the row itself stands. As many statements for any directory. */
export async function noteDesired(
  tx: Transaction,
  { before, after, revision, now }: DomainChange & { readonly now: number },
  site: ZoneSite,
): Promise<void> {
  if (before?.name === after?.name && JSON.stringify(before?.row) === JSON.stringify(after?.row)) return;
  for (const name of new Set([before?.name, after?.name])) {
    if (name === undefined) continue;
    const was = before?.name === name ? before.row : undefined;
    const is = after?.name === name ? after.row : undefined;
    await noteName(tx, { path: pathOf(name), was, is, revision, now }, site);
  }
}

interface MovedName extends Pick<QueuedDomain, 'path' | 'revision' | 'now'> {
  readonly was: ZoneRow | undefined;
  readonly is: ZoneRow | undefined;
}

async function noteName(tx: Transaction, { path, was, is, revision, now }: MovedName, site: ZoneSite): Promise<void> {
  const rows = await rowsFromTop(tx, path);
  const settings = await zoneSettingsIn(tx, site);
  const hasBelow = rows.some((each) => each.path === path && each.below > 0);
  const isDomain = is?.domain !== undefined;
  const wasDomain = was?.domain !== undefined;
  const touched: string[] = [];
  if (isDomain || wasDomain) touched.push(path);
  if (isDomain !== wasDomain ? hasBelow || hasRecords(was) || hasRecords(is) : !isDomain) {
    const above = rows.findLast((each) => each.path !== path && each.row?.domain !== undefined);
    if (above !== undefined) touched.push(above.path);
  }
  for (const each of touched) {
    const upTo = rows.filter((row) => each.startsWith(row.path));
    const standing = standingOf(each, upTo, settings);
    const isThere = upTo.some((row) => row.path === each && row.row?.domain !== undefined);
    await noteDomain(tx, { path: each, revision, now }, { standing, isThere });
  }
  if (hasBelow && inherited(was) !== inherited(is)) {
    const { from, to } = subtreeOf(path);
    await spread(tx, { from: path > from ? path : from, to }, revision);
  }
}

function hasRecords(row: ZoneRow | undefined): boolean {
  return row?.site !== undefined;
}

/** What of a row decides over names below it. */
function inherited(row: ZoneRow | undefined): string {
  const isCut = row?.site?.some(([type]) => type === 'NS') === true;
  return `${row?.domain !== undefined} ${row?.isTheirs} ${row?.isApex} ${isCut} ${row?.dmarc}`;
}

interface StoredRow {
  readonly path: string;
  readonly row: ZoneRow | undefined;
  readonly below: number;
}

/** The name and those above it, as far as they are known. */
async function rowsFromTop(tx: Transaction, path: string): Promise<StoredRow[]> {
  const paths = [path, ...pathsAbove(path)];
  const rows = await tx.arrays(
    `SELECT path, row, below FROM zone_name WHERE tenant = ? AND path IN (${paths.map(() => '?').join(', ')}) ORDER BY path`,
    TENANT,
    ...paths,
  );
  return rows.map(([at, row, below]) => ({
    path: at as string,
    row: row === null ? undefined : (JSON.parse(row as string) as ZoneRow),
    below: below as number,
  }));
}

function standingOf(path: string, rows: readonly StoredRow[], settings: ZoneSettings): ZoneStanding {
  const walk = new AuthorityWalk(settings);
  for (const each of rows) if (each.row !== undefined) walk.pass(nameOfPath(each.path), each.row);
  return walk.standing(nameOfPath(path));
}

interface DomainNow {
  readonly standing: ZoneStanding;
  /** A domain entry has the name. */
  readonly isThere: boolean;
}

async function noteDomain(
  tx: Transaction,
  domain: Pick<QueuedDomain, 'path' | 'revision' | 'now'>,
  { standing, isThere }: DomainNow,
): Promise<void> {
  const { path, now } = domain;
  if (!isThere || standing.authority === 'ours') await endWatch(tx, path);
  if (isThere && standing.authority === 'updatable') {
    await queueOutbox(tx, { ...domain, server: standing.server });
    return;
  }
  const [known] = await tx.arrays(
    `SELECT 1 FROM dns_published WHERE tenant = ? AND path = ?
     UNION SELECT 1 FROM dns_outbox WHERE tenant = ? AND path = ? LIMIT 1`,
    TENANT,
    path,
    TENANT,
    path,
  );
  if (known !== undefined) await queueOutbox(tx, domain);
  if (isThere && standing.authority === 'theirs') await beginWatch(tx, { path, now });
}

/** A domain that is due, and what was seen of its row: a try counts for nothing else. */
export interface DueDomain {
  readonly path: string;
  readonly revision: Revision;
  readonly attempts: number;
  readonly isForced: boolean;
}

const COLUMNS = 'path, revision, attempts, is_forced';

/** Primaries for which domains wait, and those that were. */
export function waitingServers(reader: Reader): readonly string[] {
  const servers: string[] = [];
  const next = 'SELECT min(server) FROM dns_outbox WHERE server > ?';
  let [[server]] = reader.arrays('SELECT min(server) FROM dns_outbox') as [[string | null]];
  while (server !== null) {
    servers.push(server);
    [[server]] = reader.arrays(next, server) as [[string | null]];
  }
  return servers;
}

/** The domains of a primary that are due, the one that waits longest first. */
export function dueAt(
  reader: Reader,
  { server, now, limit }: { readonly server: string; readonly now: number; readonly limit: number },
): readonly DueDomain[] {
  const sql = `SELECT ${COLUMNS} FROM dns_outbox WHERE server = ? AND next_attempt <= ? ORDER BY next_attempt LIMIT +?`;
  return reader.arrays(sql, server, now, limit).map(([path, revision, attempts, isForced]) => ({
    path: path as string,
    revision: revision as Revision,
    attempts: attempts as number,
    isForced: isForced === 1,
  }));
}

/** When the next of those that are not due becomes so; undefined: there is none. */
export function outboxDueAt(reader: Reader, servers: readonly string[], now: number): number | undefined {
  const sql = 'SELECT min(next_attempt) FROM dns_outbox WHERE server = ? AND next_attempt > ?';
  const next = servers.flatMap((server) => {
    const [[at]] = reader.arrays(sql, server, now) as [[number | null]];
    return at ?? [];
  });
  return next.length === 0 ? undefined : Math.min(...next);
}

/** The row is as it was seen: nothing has moved the domain since. */
export async function isStillDue(tx: Transaction, { path, revision, isForced }: DueDomain): Promise<boolean> {
  const [found] = await tx.arrays(
    'SELECT 1 FROM dns_outbox WHERE tenant = ? AND path = ? AND revision = ? AND is_forced = ?',
    ...[TENANT, path, revision, isForced ? 1 : 0],
  );
  return found !== undefined;
}

/** What stands at the primary is what is wanted: the row goes, unless the domain has moved since it was seen. */
export async function leaveOutbox(tx: Transaction, { path, revision, isForced }: DueDomain): Promise<void> {
  await tx.run(
    'DELETE FROM dns_outbox WHERE tenant = ? AND path = ? AND revision = ? AND is_forced = ?',
    ...[TENANT, path, revision, isForced ? 1 : 0],
  );
}

/** It is due again then; at once where the domain has moved since it was seen. */
export async function waitInOutbox(
  tx: Transaction,
  { path, revision, isForced }: DueDomain,
  { error, next }: { readonly error: string; readonly next: number },
): Promise<void> {
  await tx.run(
    `UPDATE dns_outbox SET next_attempt = ?, attempts = attempts + 1, error = ?
     WHERE tenant = ? AND path = ? AND revision = ? AND is_forced = ?`,
    ...[next, error, TENANT, path, revision, isForced ? 1 : 0],
  );
}

/** All that wait are due at once. */
export async function hurryOutbox(tx: Transaction): Promise<number> {
  tx.afterCommit({ kind: 'outbox' });
  return tx.run('UPDATE dns_outbox SET next_attempt = 0, attempts = 0, error = NULL');
}

export interface WaitingDomain {
  readonly domain: string;
  readonly server: string;
  readonly attempts: number;
  /** What its last try has come to; null: it was not tried yet. */
  readonly error: string | null;
}

export function waitingDomain(reader: Reader, path: string): WaitingDomain | undefined {
  const sql = `SELECT path, server, attempts, error FROM dns_outbox WHERE tenant = ${TENANT} AND path = ?`;
  return reader.arrays(sql, path).map(waitingOf)[0];
}

export function waitingDomains(reader: Reader, limit: number): readonly WaitingDomain[] {
  return reader.arrays('SELECT path, server, attempts, error FROM dns_outbox LIMIT +?', limit).map(waitingOf);
}

function waitingOf([path, server, attempts, error]: readonly Value[]): WaitingDomain {
  return {
    domain: nameOfPath(path as string),
    server: server as string,
    attempts: attempts as number,
    error: error as string | null,
  };
}

export interface WaitingCounts {
  /** Domains whose records are not yet at their primary. */
  readonly waiting: number;
  /** For how many seconds the oldest of them waits, 0: none does. */
  readonly oldest: number;
  /** Domains in whose place somebody else's records stand. */
  readonly conflicts: number;
}

export function waitingCounts(reader: Reader, now: number): WaitingCounts {
  const [[waiting, since]] = reader.arrays('SELECT count(*), min(since) FROM dns_outbox') as [[number, number | null]];
  const [[conflicts]] = reader.arrays('SELECT count(*) FROM dns_watch WHERE conflicts > 0') as [[number]];
  return { waiting, oldest: since === null ? 0 : Math.max(0, Math.round((now - since) / 1000)), conflicts };
}
