// The routing table and the alias table as rows of the database. SQL of this folder stands here, in the files named here,
// in history.ts and owned.ts.
//
//   routing_state    which generation answers, which one is being built (generation.ts, next-generation.ts)
//   route            domain -> what to do with its addresses
//   alias            address -> the entry behind it; an address belongs to one entry only
//   alias_entry      the entry, compiled: read by address through `alias`, by DN when a list names it, by the base that owns
//                    its addresses when a domain's base moves
//   routing_setting  rules, channels, hosts (setting-rows.ts)
//   routing_history  each row as it stood before a change (history.ts)
//   routing_check    what a synchronization and a proof have found (table-checks.ts)
//
// Written in the transaction of the directory change, so a reader sees the entry and its rows or neither; pages and totals are
// table-contents.ts.

import { Failure } from '../base/failure.ts';
import { TENANT } from '../base/tenant.ts';
import { ROUTING_REVISION } from '../database/connection.ts';
import type { Unit } from '../database/format.ts';
import { insertRows, type Reader, type Row, type RowsOf, type Transaction } from '../database/operation.ts';
import { pathOfNormalized } from '../directory/dn.ts';
import { formatAddress } from '../message/address.ts';
import { type Generation, type RoutingState, remember, rememberAll } from './generation.ts';
import type { RowBefore } from './history.ts';
import { addressOfKey, type GroupRow, parsedRow, type RecipientRow, type RouteRow } from './rows.ts';

const HAS_QUOTA = "json_extract(row, '$.quota') IS NOT NULL";
const HAS_URLS = "json_extract(row, '$.urls') IS NOT NULL";

export const routingUnit: Unit = {
  name: 'routing',
  migrations: [
    {
      version: 1,
      statements: [
        `CREATE TABLE routing_state (
          tenant INTEGER PRIMARY KEY,
          generation INTEGER NOT NULL,
          building INTEGER,
          revision INTEGER NOT NULL
        )`,
        `INSERT INTO routing_state (tenant, generation, revision) VALUES (${TENANT}, 1, 0)`,
        `CREATE TABLE route (
          tenant INTEGER NOT NULL,
          generation INTEGER NOT NULL,
          domain TEXT NOT NULL,
          base TEXT NOT NULL,
          row TEXT NOT NULL,
          revision INTEGER NOT NULL,
          problems INTEGER NOT NULL,
          PRIMARY KEY (tenant, generation, domain)
        ) WITHOUT ROWID`,
        'CREATE INDEX route_problem ON route (tenant, generation) WHERE problems > 0',
        'CREATE INDEX route_base ON route (tenant, generation, base)',
        `CREATE TABLE alias (
          tenant INTEGER NOT NULL,
          generation INTEGER NOT NULL,
          address TEXT NOT NULL,
          dn TEXT NOT NULL,
          PRIMARY KEY (tenant, generation, address)
        ) WITHOUT ROWID`,
        `CREATE TABLE alias_entry (
          tenant INTEGER NOT NULL,
          generation INTEGER NOT NULL,
          dn TEXT NOT NULL,
          row TEXT NOT NULL,
          revision INTEGER NOT NULL,
          problems INTEGER NOT NULL,
          PRIMARY KEY (tenant, generation, dn)
        ) WITHOUT ROWID`,
        'CREATE INDEX alias_entry_problem ON alias_entry (tenant, generation) WHERE problems > 0',
      ],
    },
    {
      version: 2,
      statements: [
        'ALTER TABLE routing_state DROP COLUMN revision',
        // JSON. What decides which users are here.
        "ALTER TABLE routing_state ADD COLUMN hostnames TEXT NOT NULL DEFAULT '[]'",
        // The first revision that can be answered for.
        'ALTER TABLE routing_state ADD COLUMN history_from INTEGER NOT NULL DEFAULT 0',
        `CREATE TABLE routing_setting (
          tenant INTEGER NOT NULL,
          generation INTEGER NOT NULL,
          kind TEXT NOT NULL,
          key TEXT NOT NULL,
          row TEXT NOT NULL,
          revision INTEGER NOT NULL,
          problems INTEGER NOT NULL,
          PRIMARY KEY (tenant, generation, kind, key)
        ) WITHOUT ROWID`,
        `CREATE TABLE routing_history (
          tenant INTEGER NOT NULL,
          kind TEXT NOT NULL,
          key TEXT NOT NULL,
          revision INTEGER NOT NULL,
          before TEXT,
          PRIMARY KEY (tenant, kind, key, revision)
        ) WITHOUT ROWID`,
        'CREATE INDEX routing_history_revision ON routing_history (tenant, revision)',
        // Keys whose rows in the generation that is being built may differ from those that answer.
        `CREATE TABLE routing_difference (
          tenant INTEGER NOT NULL,
          kind TEXT NOT NULL,
          key TEXT NOT NULL,
          PRIMARY KEY (tenant, kind, key)
        ) WITHOUT ROWID`,
        // What the last full synchronization and the last proof have found, JSON.
        `CREATE TABLE routing_check (
          tenant INTEGER NOT NULL,
          kind TEXT NOT NULL,
          at INTEGER NOT NULL,
          result TEXT NOT NULL,
          PRIMARY KEY (tenant, kind)
        ) WITHOUT ROWID`,
      ],
    },
    {
      version: 3,
      // Lists of which URLs say who is a member: few, and asked for together.
      statements: [`CREATE INDEX alias_entry_urls ON alias_entry (tenant, generation) WHERE ${HAS_URLS}`],
    },
    {
      version: 4,
      // Rows of a store from before are all compiled anew, by an older compiler's number.
      statements: [
        // The deepest base at or above the entry, '' for none; the entry's path in the directory.
        "ALTER TABLE alias_entry ADD COLUMN base TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE alias_entry ADD COLUMN path TEXT NOT NULL DEFAULT ''",
        'CREATE INDEX alias_entry_base ON alias_entry (tenant, generation, base, path)',
      ],
    },
    {
      version: 5,
      // The host of who names none, NULL: this one.
      statements: ['ALTER TABLE routing_state ADD COLUMN default_host TEXT'],
    },
    {
      version: 6,
      // Domains with a limit for all their people: few, and asked for at each start.
      statements: [`CREATE INDEX route_quota ON route (tenant, generation, domain) WHERE ${HAS_QUOTA}`],
    },
  ],
};

const ROUTE = 'SELECT row FROM route WHERE tenant = ? AND generation = ? AND domain = ?';
const ALIAS = `SELECT a.dn AS dn, e.row AS row FROM alias a JOIN alias_entry e
  ON e.tenant = a.tenant AND e.generation = a.generation AND e.dn = a.dn
  WHERE a.tenant = ? AND a.generation = ? AND a.address = ?`;

// One statement sees one committed state, as a transaction of several would.
const ALIAS_AT = `SELECT (${ROUTING_REVISION}) AS revision, a.dn AS dn, e.row AS row FROM (SELECT 1)
  LEFT JOIN alias a ON a.tenant = ? AND a.generation = ? AND a.address = ?
  LEFT JOIN alias_entry e ON e.tenant = a.tenant AND e.generation = a.generation AND e.dn = a.dn`;
// By itself the planner walks through all domains, which are in the order that is asked for.
const WITH_BASE = `SELECT domain, row FROM route INDEXED BY route_base
  WHERE tenant = ? AND generation = ? AND base = ? ORDER BY domain LIMIT 1000`;
const ENTRY = 'SELECT row FROM alias_entry WHERE tenant = ? AND generation = ? AND dn = ?';
const PLACED = 'SELECT row, base FROM alias_entry WHERE tenant = ? AND generation = ? AND dn = ?';
const WITH_QUOTA = `SELECT domain, row FROM route INDEXED BY route_quota
  WHERE tenant = ? AND generation = ? AND domain > ? AND ${HAS_QUOTA} ORDER BY domain LIMIT +?`;
const AT_BASE = `SELECT path, row FROM alias_entry INDEXED BY alias_entry_base
  WHERE tenant = ? AND generation = ? AND base = ? AND path > ? ORDER BY path LIMIT +?`;
const WITH_ACCOUNT = `SELECT row FROM alias_entry WHERE tenant = ? AND generation = ? AND json_extract(row, '$.account') = ? LIMIT 1`;
const WITH_URLS = `SELECT row FROM alias_entry WHERE tenant = ? AND generation = ? AND ${HAS_URLS} LIMIT +?`;
const ALIAS_DN = 'SELECT dn FROM alias WHERE tenant = ? AND generation = ? AND address = ?';

// Reading, on any thread.

export function readRoute(reader: Reader, generation: number, domain: string): RouteRow | null {
  return parsedRow(reader.get(ROUTE, TENANT, generation, domain));
}

/** Domains whose entries say how much all their people may have, or that there is no bound, in order after `after`. */
export function readRoutesWithQuota(
  reader: Reader,
  generation: number,
  { after, limit }: { readonly after: string; readonly limit: number },
): readonly { readonly domain: string; readonly row: RouteRow }[] {
  return reader
    .arrays(WITH_QUOTA, TENANT, generation, after, limit)
    .map(([domain, row]) => ({ domain: domain as string, row: JSON.parse(row as string) as RouteRow }));
}

/** The entry behind an address. */
export interface AliasRow {
  /** Normalized. */
  readonly dn: string;
  readonly row: RecipientRow;
}

export function readAlias(reader: Reader, generation: number, address: string): AliasRow | null {
  return aliasRowOf(reader.get(ALIAS, TENANT, generation, address));
}

/** The same outside a snapshot; undefined where the tables are not at this revision. */
export function readAliasAt(
  reader: Reader,
  { generation, revision }: Pick<RoutingState, 'generation' | 'revision'>,
  address: string,
): AliasRow | null | undefined {
  const found = reader.get(ALIAS_AT, TENANT, generation, address);
  if (found?.['revision'] !== revision) return undefined;
  return aliasRowOf(found);
}

function aliasRowOf(found: Row | undefined): AliasRow | null {
  const row = found?.['row'];
  return typeof row === 'string' ? { dn: found!['dn'] as string, row: JSON.parse(row) as RecipientRow } : null;
}

export function readRecipient(reader: Reader, generation: number, dn: string): RecipientRow | null {
  return parsedRow(reader.get(ENTRY, TENANT, generation, dn));
}

/** Those of which this is the deepest base, behind a path: a page, each with the place to go on from. */
export function readRecipientsAtBase(
  reader: Reader,
  generation: number,
  base: string,
  { after, limit }: { readonly after: string; readonly limit: number },
): readonly { readonly path: string; readonly row: RecipientRow }[] {
  return reader
    .arrays(AT_BASE, TENANT, generation, base, after, limit)
    .map(([path, row]) => ({ path: path as string, row: JSON.parse(row as string) as RecipientRow }));
}

/** The deepest base at or above the entry, by its row; null where it has none. */
export function readBase(reader: Reader, generation: number, dn: string): string | null {
  return (reader.arrays(PLACED, TENANT, generation, dn)[0]?.[1] as string | undefined) ?? null;
}

/** The UUID of the entry that has this account: a walk over all, for repairs. */
export function entryWithAccount(reader: Reader, generation: number, account: number): string | undefined {
  const [row] = reader.arrays(WITH_ACCOUNT, TENANT, generation, account);
  return row && (JSON.parse(row[0] as string) as RecipientRow).uuid;
}

/** Lists of which URLs say who is a member, at most `limit`. */
export function readDynamicLists(reader: Reader, generation: number, limit: number): GroupRow[] {
  return reader.all(WITH_URLS, TENANT, generation, limit).map((row) => parsedRow<GroupRow>(row)!);
}

export async function dynamicListsIn(tx: Transaction, generation: number, limit: number): Promise<GroupRow[]> {
  return (await tx.all(WITH_URLS, TENANT, generation, limit)).map((row) => parsedRow<GroupRow>(row)!);
}

/** The domains of the deepest base at or above this normalized DN. */
export function readRoutesAbove(reader: Reader, generation: number, dn: string): RouteRow[] {
  for (const base of basesAbove(dn)) {
    const rows = reader.all(WITH_BASE, TENANT, generation, base);
    if (rows.length > 0) return rows.map((row) => JSON.parse(row['row'] as string) as RouteRow);
  }
  return [];
}

/** The DN and those of its superiors, from below. In a normalized DN each comma is a border. */
function* basesAbove(dn: string): Generator<string> {
  for (let at = 0; at >= 0; at = dn.indexOf(',', at) + 1 || -1) yield dn.slice(at);
}

/** The normalized DN of the entry behind an address; of a contested one the DNs of all who have it (contested.ts). */
export function readAliasDn(reader: Reader, generation: number, address: string): string | null {
  return (reader.get(ALIAS_DN, TENANT, generation, address)?.['dn'] as string | undefined) ?? null;
}

// Reading and writing, in an operation.

export async function routeIn(tx: Transaction, generation: number, domain: string): Promise<RouteRow | null> {
  return parsedRow(await tx.get(ROUTE, TENANT, generation, domain));
}

export async function aliasIn(tx: Transaction, generation: number, address: string): Promise<RecipientRow | null> {
  return parsedRow(await tx.get(ALIAS, TENANT, generation, address));
}

export async function aliasDnIn(tx: Transaction, generation: number, address: string): Promise<string | null> {
  return ((await tx.get(ALIAS_DN, TENANT, generation, address))?.['dn'] as string | undefined) ?? null;
}

export async function recipientIn(tx: Transaction, generation: number, dn: string): Promise<RecipientRow | null> {
  return parsedRow(await tx.get(ENTRY, TENANT, generation, dn));
}

/** The domains whose base is exactly this DN. */
export async function domainsWithBase(tx: Transaction, generation: number, base: string): Promise<readonly string[]> {
  const read = async (): Promise<string[]> =>
    (await tx.arrays(WITH_BASE, TENANT, generation, base)).map(([domain]) => domain as string);
  return (await tx.remembered(ROUTES_BY_BASE, `${generation} ${base}`, read))!;
}

const ROUTES_BY_BASE: RowsOf<readonly string[]> = {
  table: 'route',
  isUnique: false,
  isSmall: ({ length }) => length <= 10,
};

export interface Owner {
  /** `''`: there is none. */
  readonly base: string;
  readonly domains: readonly string[];
}

/** The deepest base at or above this normalized DN, and its domains: they own the addresses of the entry. */
export async function ownerIn(tx: Transaction, generation: number, dn: string): Promise<Owner> {
  const domains = await domainsWithBase(tx, generation, dn);
  if (domains.length > 0) return { base: dn, domains };
  const comma = dn.indexOf(',');
  if (comma < 0) return NO_OWNER;
  const above = dn.slice(comma + 1);
  // Entries of an operation often have one superior.
  return (await tx.remembered(OWNERS, `${generation} ${above}`, () => ownerIn(tx, generation, above)))!;
}

const NO_OWNER: Owner = { base: '', domains: [] };
const OWNERS: RowsOf<Owner> = { table: 'route', isUnique: false, isSmall: ({ domains }) => domains.length <= 10 };

/** The row of an entry, and where it stands. */
export interface PlacedRow {
  readonly row: RecipientRow;
  /** The deepest base at or above the entry: its domains own the addresses. `''`: there is none. */
  readonly base: string;
}

export async function placedIn(tx: Transaction, generation: number, dn: string): Promise<PlacedRow | null> {
  const [found] = await tx.arrays(PLACED, TENANT, generation, dn);
  return found === undefined ? null : { row: JSON.parse(found[0] as string) as RecipientRow, base: found[1] as string };
}

const RECIPIENTS_BELOW = `SELECT dn FROM alias_entry
  WHERE tenant = ? AND generation = ? AND dn > ? ORDER BY dn LIMIT +?`;

/** Keys of recipients' rows at or below a base among the next `limit` rows behind `after`, and where the next ones begin. */
export async function recipientsBelowIn(
  tx: Transaction,
  generation: number,
  { base, after, limit }: { readonly base: string; readonly after: string; readonly limit: number },
): Promise<{ readonly rows: string[]; readonly last: string | undefined }> {
  const dns = (await tx.arrays(RECIPIENTS_BELOW, TENANT, generation, after, limit)).map(([dn]) => dn as string);
  return {
    rows: dns.filter((dn) => dn === base || dn.endsWith(`,${base}`)),
    last: dns.length < limit ? undefined : dns.at(-1),
  };
}

/** The domain's row becomes `after`; undefined: it goes. `before` is what it was. */
export async function writeRoute(
  tx: Transaction,
  into: Generation,
  domain: string,
  { before, after }: { readonly before: RouteRow | null; readonly after: RouteRow | undefined },
): Promise<void> {
  if (after === undefined)
    await tx.run('DELETE FROM route WHERE tenant = ? AND generation = ? AND domain = ?', TENANT, into.number, domain);
  else
    await tx.run(
      'INSERT OR REPLACE INTO route (tenant, generation, domain, base, row, revision, problems) VALUES (?, ?, ?, ?, ?, ?, ?)',
      TENANT,
      into.number,
      domain,
      after.base,
      JSON.stringify(after),
      tx.revision,
      after.problems?.length ?? 0,
    );
  await remember(tx, into, 'route', domain, before);
}

// Not INSERT OR REPLACE: with several indexes SQLite keeps a journal of the statement, and its end walks through that of the
// whole operation (store/accounts.ts).
const MAKE_ENTRY = `INSERT INTO alias_entry (row, revision, problems, base, path, tenant, generation, dn)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
const CHANGE_ENTRY = `UPDATE alias_entry SET row = ?, revision = ?, problems = ?, base = ?, path = ?
  WHERE tenant = ? AND generation = ? AND dn = ?`;

/** The row of the entry at this DN becomes `after`, and addresses are its own that `after` names and `before` did not. */
export async function writeRecipient(
  tx: Transaction,
  into: Generation,
  dn: string,
  { before, after: placed }: { readonly before: RecipientRow | null; readonly after: PlacedRow | undefined },
): Promise<void> {
  const after = placed?.row;
  if (after === undefined)
    await tx.run('DELETE FROM alias_entry WHERE tenant = ? AND generation = ? AND dn = ?', TENANT, into.number, dn);
  else {
    const { length } = after.problems ?? [];
    const columns = [JSON.stringify(after), tx.revision, length, placed!.base, pathOfNormalized(dn)];
    if (before === null) await tx.run(MAKE_ENTRY, ...columns, TENANT, into.number, dn);
    else await tx.run(CHANGE_ENTRY, ...columns, TENANT, into.number, dn);
  }
  await remember(tx, into, 'entry', dn, before);
  const was = new Set(before === null ? [] : before.addresses);
  const is = new Set(after === undefined ? [] : after.addresses);
  for (const address of was.difference(is)) await deleteAlias(tx, into, address, dn);
  for (const address of is.difference(was)) {
    const inserted = await tx.run(
      'INSERT OR IGNORE INTO alias (tenant, generation, address, dn) VALUES (?, ?, ?, ?)',
      TENANT,
      into.number,
      address,
      dn,
    );
    if (inserted > 0) await remember(tx, into, 'alias', address, null);
    // It may have been mended before the row.
    else if ((await aliasDnIn(tx, into.number, address)) !== dn) throw addressInUse(address);
  }
}

const MAKE_FREE_ENTRY = MAKE_ENTRY.replace('INSERT INTO', 'INSERT OR IGNORE INTO');
const MAKE_ALIASES = 'INSERT OR IGNORE INTO alias (tenant, generation, address, dn)';

/** As writeRecipient, of an entry that has just been made. False, and nothing is written, where it has a row all the same. */
export async function makeRecipient(
  tx: Transaction,
  into: Generation,
  dn: string,
  { row, base }: PlacedRow,
): Promise<boolean> {
  const columns = [JSON.stringify(row), tx.revision, row.problems?.length ?? 0, base, pathOfNormalized(dn)];
  if ((await tx.run(MAKE_FREE_ENTRY, ...columns, TENANT, into.number, dn)) === 0) return false;
  const { addresses } = row;
  const aliases = addresses.map((address) => [TENANT, into.number, address, dn]);
  if ((await insertRows(tx, MAKE_ALIASES, aliases)) < aliases.length)
    for (const address of addresses)
      if ((await aliasDnIn(tx, into.number, address)) !== dn) throw addressInUse(address);
  await rememberAll(tx, into, [['entry', dn, null], ...addresses.map((key): RowBefore => ['alias', key, null])]);
  return true;
}

/** The row stays, and the deepest base above the entry is this one. */
export async function writePlace(tx: Transaction, into: Generation, dn: string, base: string): Promise<void> {
  const sql = 'UPDATE alias_entry SET base = ? WHERE tenant = ? AND generation = ? AND dn = ?';
  await tx.run(sql, base, TENANT, into.number, dn);
}

/** The address leads to this entry no more. */
export async function deleteAlias(tx: Transaction, into: Generation, address: string, dn: string): Promise<void> {
  await tx.run(
    'DELETE FROM alias WHERE tenant = ? AND generation = ? AND address = ? AND dn = ?',
    TENANT,
    into.number,
    address,
    dn,
  );
  await remember(tx, into, 'alias', address, dn);
}

/** The address leads to this entry, whatever it led to. */
export async function mendAlias(
  tx: Transaction,
  into: Generation,
  address: string,
  { before, after }: { readonly before: string | null; readonly after: string },
): Promise<void> {
  await tx.run(
    'INSERT OR REPLACE INTO alias (tenant, generation, address, dn) VALUES (?, ?, ?, ?)',
    TENANT,
    into.number,
    address,
    after,
  );
  await remember(tx, into, 'alias', address, before);
}

/** No fault of ours: it has no detail for the log. */
function addressInUse(address: string): Failure {
  return new Failure('exists', `the address ${formatAddress(addressOfKey(address))} is in use already`, {
    ldap: { name: 'constraintViolation' },
  });
}
