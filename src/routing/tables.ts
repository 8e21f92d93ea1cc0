// The routing table and the alias table as rows of the database: with history.ts the only SQL of this folder.
//
//   routing_state    which generation answers, which one is being built, this host's names, where the history begins
//   route            domain -> what to do with its addresses
//   alias            address -> the entry behind it; an address belongs to one entry only
//   alias_entry      the entry, compiled: read by address through `alias`, by DN when a list names it
//   routing_setting  rules, channels, hosts: few, read as a whole (settings.ts)
//   routing_history  each row as it stood before a change (history.ts)
//
// Incremental changes are written to the generation that answers and to the one that is being built. Written in the
// transaction of the directory change, so a reader sees the entry and its rows or neither. What moves a row of the
// answering generation writes its history and raises the routing revision.

import { Failure } from '../base/failure.ts';
import { idOf, type Revision } from '../base/ids.ts';
import type { Json } from '../base/json.ts';
import { TENANT } from '../base/tenant.ts';
import { ROUTING_REVISION } from '../database/connection.ts';
import type { Unit } from '../database/format.ts';
import type { Reader, Row, Transaction } from '../database/operation.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import { formatAddress } from '../message/address.ts';
import { type HistoryKind, rememberRow } from './history.ts';
import { addressOfKey, type GroupRow, type Problem, type RecipientRow, type RouteRow } from './rows.ts';
import type { SettingRow } from './settings.ts';

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
  ],
};

export interface RoutingState {
  readonly generation: number;
  readonly building: number | undefined;
  /** The last directory revision whose change moved a row. */
  readonly revision: Revision;
  /** This host's name and its former ones. */
  readonly hostnames: readonly string[];
  /** The first revision that the history answers for. */
  readonly historyFrom: Revision;
}

/** Where a row is written. */
export interface Generation {
  readonly number: number;
  /**
   * `answering`: what moves in it is remembered. `following`: it is being built, and gets a change that came meanwhile: its
   * keys are compared when it is finished. `building`: who builds it compares.
   */
  readonly role: 'answering' | 'following' | 'building';
}

const STATE = 'SELECT generation, building, hostnames, history_from FROM routing_state WHERE tenant = ?';
const ROUTE = 'SELECT row FROM route WHERE tenant = ? AND generation = ? AND domain = ?';
const ALIAS = `SELECT a.dn AS dn, e.row AS row FROM alias a JOIN alias_entry e
  ON e.tenant = a.tenant AND e.generation = a.generation AND e.dn = a.dn
  WHERE a.tenant = ? AND a.generation = ? AND a.address = ?`;
// One statement sees one committed state, as a transaction of several would.
const ALIAS_AT = `SELECT (${ROUTING_REVISION}) AS revision, a.dn AS dn, e.row AS row FROM (SELECT 1)
  LEFT JOIN alias a ON a.tenant = ? AND a.generation = ? AND a.address = ?
  LEFT JOIN alias_entry e ON e.tenant = a.tenant AND e.generation = a.generation AND e.dn = a.dn`;
const WITH_BASE =
  'SELECT domain, row FROM route WHERE tenant = ? AND generation = ? AND base = ? ORDER BY domain LIMIT 1000';
const SETTINGS = 'SELECT row FROM routing_setting WHERE tenant = ? AND generation = ? ORDER BY kind, key LIMIT 100000';
const SETTING = 'SELECT row FROM routing_setting WHERE tenant = ? AND generation = ? AND kind = ? AND key = ?';
const ENTRY = 'SELECT row FROM alias_entry WHERE tenant = ? AND generation = ? AND dn = ?';
const WITH_URLS = `SELECT row FROM alias_entry WHERE tenant = ? AND generation = ? AND ${HAS_URLS} LIMIT +?`;

const ALIAS_DN = 'SELECT dn FROM alias WHERE tenant = ? AND generation = ? AND address = ?';

function stateOf(row: Row | undefined, revision: Revision): RoutingState {
  if (row === undefined) throw new Error('routing_state has no row');
  const building = row['building'];
  return {
    generation: Number(row['generation']),
    building: building === null || building === undefined ? undefined : Number(building),
    revision,
    hostnames: JSON.parse(row['hostnames'] as string) as string[],
    historyFrom: idOf(row['history_from']),
  };
}

function parsed<T>(row: Row | undefined): T | null {
  return row === undefined ? null : (JSON.parse(row['row'] as string) as T);
}

// Reading, on any thread.

export function readState(reader: Reader): RoutingState {
  return stateOf(reader.get(STATE, TENANT), reader.routingRevision());
}

export function readRoute(reader: Reader, generation: number, domain: string): RouteRow | null {
  return parsed(reader.get(ROUTE, TENANT, generation, domain));
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

export function readSettings(reader: Reader, generation: number): SettingRow[] {
  return reader.all(SETTINGS, TENANT, generation).map((row) => JSON.parse(row['row'] as string) as SettingRow);
}

export function readRecipient(reader: Reader, generation: number, dn: string): RecipientRow | null {
  return parsed(reader.get(ENTRY, TENANT, generation, dn));
}

/** Lists of which URLs say who is a member, at most `limit`. */
export function readDynamicLists(reader: Reader, generation: number, limit: number): GroupRow[] {
  return reader.all(WITH_URLS, TENANT, generation, limit).map((row) => parsed<GroupRow>(row)!);
}

export async function dynamicListsIn(tx: Transaction, generation: number, limit: number): Promise<GroupRow[]> {
  return (await tx.all(WITH_URLS, TENANT, generation, limit)).map((row) => parsed<GroupRow>(row)!);
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
export function* basesAbove(dn: string): Generator<string> {
  for (let at = 0; at >= 0; at = dn.indexOf(',', at) + 1 || -1) yield dn.slice(at);
}

/** The normalized DN of the entry behind an address. */
export function readAliasDn(reader: Reader, generation: number, address: string): string | null {
  return (reader.get(ALIAS_DN, TENANT, generation, address)?.['dn'] as string | undefined) ?? null;
}

export function readSetting(reader: Reader, generation: number, kind: string, key: string): SettingRow | null {
  return parsed(reader.get(SETTING, TENANT, generation, kind, key));
}

export interface KeyedRow {
  readonly key: string;
  /** JSON; of an alias its DN. */
  readonly row: string;
}

const PAGES = {
  route: 'SELECT domain, row FROM route WHERE tenant = ? AND generation = ? AND domain > ? ORDER BY domain LIMIT +?',
  alias: 'SELECT address, dn FROM alias WHERE tenant = ? AND generation = ? AND address > ? ORDER BY address LIMIT +?',
  entry: 'SELECT dn, row FROM alias_entry WHERE tenant = ? AND generation = ? AND dn > ? ORDER BY dn LIMIT +?',
} as const;

/** At most `limit` rows of the answering generation with keys above `after`, in order of octets. */
export function readRowsAfter(reader: Reader, table: keyof typeof PAGES, after: string, limit: number): KeyedRow[] {
  const { generation } = readState(reader);
  return reader
    .arrays(PAGES[table], TENANT, generation, after, limit)
    .map(([key, row]) => ({ key: key as string, row: row as string }));
}

/** Domains in order of name, after `after`. */
export function readRoutes(reader: Reader, after = '', limit = 1000): RouteRow[] {
  const { generation } = readState(reader);
  return reader
    .all(
      'SELECT row FROM route WHERE tenant = ? AND generation = ? AND domain > ? ORDER BY domain LIMIT +?',
      TENANT,
      generation,
      after,
      limit,
    )
    .map((row) => JSON.parse(row['row'] as string) as RouteRow);
}

interface TableCounts {
  readonly domains: number;
  readonly addresses: number;
}

export function countRows(reader: Reader): TableCounts {
  const { generation } = readState(reader);
  const count = (table: 'route' | 'alias'): number => {
    const sql = `SELECT count(*) AS n FROM ${table} WHERE tenant = ? AND generation = ?`;
    return Number(reader.get(sql, TENANT, generation)?.['n']);
  };
  return { domains: count('route'), addresses: count('alias') };
}

export interface EntryProblems {
  readonly dn: string;
  readonly problems: readonly Problem[];
}

/** What the compiler could not use, entry by entry; at most `limit` entries. */
export function readProblems(reader: Reader, limit = 1000): EntryProblems[] {
  const { generation } = readState(reader);
  const found: EntryProblems[] = [];
  for (const table of ['route', 'alias_entry', 'routing_setting'] as const) {
    const sql = `SELECT row FROM ${table} WHERE tenant = ? AND generation = ? AND problems > 0 LIMIT +?`;
    for (const { row } of reader.all(sql, TENANT, generation, limit - found.length)) {
      const compiled = JSON.parse(row as string) as RouteRow | RecipientRow | SettingRow;
      const dn = 'dn' in compiled ? compiled.dn : dcDnOfDomain(compiled.domain);
      found.push({ dn, problems: compiled.problems ?? [] });
    }
  }
  return found;
}

// Reading and writing, in an operation.

export async function stateIn(tx: Transaction): Promise<RoutingState> {
  return stateOf(await tx.get(STATE, TENANT), tx.routingRevision);
}

/** The generations that a change has to be written to. */
export function generationsOf(state: RoutingState): readonly Generation[] {
  const answering: Generation = { number: state.generation, role: 'answering' };
  return state.building === undefined ? [answering] : [answering, { number: state.building, role: 'following' }];
}

export async function routeIn(tx: Transaction, generation: number, domain: string): Promise<RouteRow | null> {
  return parsed(await tx.get(ROUTE, TENANT, generation, domain));
}

export async function aliasIn(tx: Transaction, generation: number, address: string): Promise<RecipientRow | null> {
  return parsed(await tx.get(ALIAS, TENANT, generation, address));
}

export async function settingIn(
  tx: Transaction,
  generation: number,
  kind: SettingRow['kind'],
  key: string,
): Promise<SettingRow | null> {
  return parsed(await tx.get(SETTING, TENANT, generation, kind, key));
}

export async function settingsIn(tx: Transaction, generation: number): Promise<SettingRow[]> {
  return (await tx.all(SETTINGS, TENANT, generation)).map((row) => JSON.parse(row['row'] as string) as SettingRow);
}

export async function recipientIn(tx: Transaction, generation: number, dn: string): Promise<RecipientRow | null> {
  return parsed(await tx.get(ENTRY, TENANT, generation, dn));
}

/** The domains whose base is exactly this DN. */
export async function domainsWithBase(tx: Transaction, generation: number, base: string): Promise<string[]> {
  const rows = await tx.all(WITH_BASE, TENANT, generation, base);
  return rows.map(({ domain }) => String(domain));
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

/** A row of the answering generation moves: it stays in the history as it was. */
async function remember(
  tx: Transaction,
  into: Generation,
  kind: HistoryKind,
  key: string,
  before: unknown,
): Promise<void> {
  if (into.role === 'following') await noteDifference(tx, kind, key);
  if (into.role !== 'answering') return;
  await rememberRow(tx, kind, key, before);
  await tx.routingChanged();
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

/** The row of the entry at this DN becomes `after`, and addresses are its own that `after` names and `before` did not. */
export async function writeRecipient(
  tx: Transaction,
  into: Generation,
  dn: string,
  { before, after }: { readonly before: RecipientRow | null; readonly after: RecipientRow | undefined },
): Promise<void> {
  if (after === undefined)
    await tx.run('DELETE FROM alias_entry WHERE tenant = ? AND generation = ? AND dn = ?', TENANT, into.number, dn);
  else
    await tx.run(
      'INSERT OR REPLACE INTO alias_entry (tenant, generation, dn, row, revision, problems) VALUES (?, ?, ?, ?, ?, ?)',
      TENANT,
      into.number,
      dn,
      JSON.stringify(after),
      tx.revision,
      after.problems?.length ?? 0,
    );
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

/** The address leads to this entry no more. */
async function deleteAlias(tx: Transaction, into: Generation, address: string, dn: string): Promise<void> {
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

/** A rule, channel or host becomes `after`; undefined: it goes. */
export async function writeSetting(
  tx: Transaction,
  into: Generation,
  { kind, key }: Pick<SettingRow, 'kind' | 'key'>,
  { before, after }: { readonly before: SettingRow | null; readonly after: SettingRow | undefined },
): Promise<void> {
  if (after === undefined)
    await tx.run(
      'DELETE FROM routing_setting WHERE tenant = ? AND generation = ? AND kind = ? AND key = ?',
      TENANT,
      into.number,
      kind,
      key,
    );
  else
    await tx.run(
      'INSERT OR REPLACE INTO routing_setting (tenant, generation, kind, key, row, revision, problems) VALUES (?, ?, ?, ?, ?, ?, ?)',
      TENANT,
      into.number,
      kind,
      key,
      JSON.stringify(after),
      tx.revision,
      after.problems?.length ?? 0,
    );
  await remember(tx, into, kind, key, before);
}

/** No fault of ours: it has no detail for the log. */
function addressInUse(address: string): Failure {
  return new Failure('exists', `the address ${formatAddress(addressOfKey(address))} is in use already`, {
    ldap: { name: 'constraintViolation' },
  });
}

// This host.

/** True where the names have changed and rows were compiled for other ones. */
export async function setHostnames(tx: Transaction, hostnames: readonly string[]): Promise<boolean> {
  const { hostnames: known, generation } = await stateIn(tx);
  if (JSON.stringify(known) === JSON.stringify(hostnames)) return false;
  await tx.run('UPDATE routing_state SET hostnames = ? WHERE tenant = ?', JSON.stringify(hostnames), TENANT);
  const any = 'SELECT 1 FROM alias_entry WHERE tenant = ? AND generation = ? LIMIT 1';
  return (await tx.get(any, TENANT, generation)) !== undefined;
}

export async function setHistoryFrom(tx: Transaction, revision: Revision): Promise<void> {
  await tx.run('UPDATE routing_state SET history_from = ? WHERE tenant = ?', revision, TENANT);
}

// Full synchronization: a generation beside the one that answers. See rebuild.ts.

const TABLES = ['route', 'alias', 'alias_entry', 'routing_setting'] as const;

export async function beginGeneration(tx: Transaction): Promise<number> {
  const { generation } = await stateIn(tx);
  await tx.run('UPDATE routing_state SET building = ? WHERE tenant = ?', generation + 1, TENANT);
  return generation + 1;
}

/** The one row that flips. */
export async function finishGeneration(tx: Transaction, building: number): Promise<void> {
  await tx.run('UPDATE routing_state SET generation = ?, building = NULL WHERE tenant = ?', building, TENANT);
}

/** Some rows of generations that do not answer. False when there is none left. */
export async function clearOthers(tx: Transaction, limit: number): Promise<boolean> {
  const { generation, building } = await stateIn(tx);
  for (const table of TABLES)
    for (const other of await generationsBeside(tx, table, [generation, building ?? generation])) {
      const key = KEYS[table];
      const removed = await tx.run(
        `DELETE FROM ${table} WHERE tenant = ? AND generation = ? AND (${key}) IN
          (SELECT ${key} FROM ${table} WHERE tenant = ? AND generation = ? LIMIT +?)`,
        TENANT,
        other,
        TENANT,
        other,
        limit,
      );
      if (removed > 0) return true;
    }
  return false;
}

const KEYS = { route: 'domain', alias: 'address', alias_entry: 'dn', routing_setting: 'kind, key' } as const;

/** The lowest and the highest are enough: those in between are asked for again. */
async function generationsBeside(
  tx: Transaction,
  table: (typeof TABLES)[number],
  kept: readonly number[],
): Promise<number[]> {
  const sql = `SELECT min(generation) AS low, max(generation) AS high FROM ${table} WHERE tenant = ?`;
  const row = await tx.get(sql, TENANT);
  const found = [row?.['low'], row?.['high']].filter((generation) => typeof generation === 'number');
  return found.filter((generation) => !kept.includes(generation));
}

export interface TableCheck {
  readonly kind: 'full' | 'verify';
  /** Epoch milliseconds. */
  readonly at: number;
  /** What it found, as it was printed. */
  readonly result: Json;
}

export async function noteCheckIn(tx: Transaction, { kind, at, result }: TableCheck): Promise<void> {
  const json = JSON.stringify(result);
  await tx.run(
    'INSERT OR REPLACE INTO routing_check (tenant, kind, at, result) VALUES (?, ?, ?, ?)',
    TENANT,
    kind,
    at,
    json,
  );
}

export function readCheck(reader: Reader, kind: TableCheck['kind']): TableCheck | undefined {
  const row = reader.get('SELECT at, result FROM routing_check WHERE tenant = ? AND kind = ?', TENANT, kind);
  return row && { kind, at: Number(row['at']), result: JSON.parse(String(row['result'])) as Json };
}

export async function dropBuilding(tx: Transaction): Promise<void> {
  await tx.run('UPDATE routing_state SET building = NULL WHERE tenant = ?', TENANT);
}

export async function noteDifference(tx: Transaction, kind: HistoryKind, key: string): Promise<void> {
  await tx.run('INSERT OR IGNORE INTO routing_difference (tenant, kind, key) VALUES (?, ?, ?)', TENANT, kind, key);
}

export async function differencesIn(
  tx: Transaction,
  limit: number,
): Promise<{ readonly kind: HistoryKind; readonly key: string }[]> {
  const rows = await tx.arrays('SELECT kind, key FROM routing_difference WHERE tenant = ? LIMIT +?', TENANT, limit);
  return rows.map(([kind, key]) => ({ kind: kind as HistoryKind, key: key as string }));
}

export async function forgetDifferences(tx: Transaction): Promise<void> {
  await tx.run('DELETE FROM routing_difference WHERE tenant = ?', TENANT);
}

/** As the history has it: of an alias the DN, of all others the row; null for none. */
export async function rowIn(tx: Transaction, generation: number, kind: HistoryKind, key: string): Promise<unknown> {
  switch (kind) {
    case 'route':
      return routeIn(tx, generation, key);
    case 'alias':
      return aliasDnIn(tx, generation, key);
    case 'entry':
      return recipientIn(tx, generation, key);
    default:
      return settingIn(tx, generation, kind as SettingRow['kind'], key);
  }
}

export async function aliasDnIn(tx: Transaction, generation: number, address: string): Promise<string | null> {
  return ((await tx.get(ALIAS_DN, TENANT, generation, address))?.['dn'] as string | undefined) ?? null;
}

interface Leftovers {
  readonly left: readonly (readonly [kind: HistoryKind, key: string])[];
  /** The last key that was looked at; undefined: it was the last one. */
  readonly last: string | undefined;
}

/** Keys above `after` of rows in `generation` that the generation `without` does not have. */
export async function keysWithout(
  tx: Transaction,
  of: 'route' | 'alias' | 'entry' | 'setting',
  asked: { readonly generation: number; readonly without: number; readonly after: string; readonly limit: number },
): Promise<Leftovers> {
  const { generation, without, after, limit } = asked;
  if (of === 'setting') {
    const kept = new Set((await settingsIn(tx, without)).map(({ kind, key }) => `${kind} ${key}`));
    const left = (await settingsIn(tx, generation)).filter(({ kind, key }) => !kept.has(`${kind} ${key}`));
    return { left: left.map(({ kind, key }) => [kind, key]), last: undefined };
  }
  const [table, column] = KEYED[of];
  const rows = await tx.arrays(
    `SELECT ${column}, EXISTS (SELECT 1 FROM ${table} AS other WHERE other.tenant = own.tenant
       AND other.generation = ? AND other.${column} = own.${column})
     FROM ${table} AS own WHERE tenant = ? AND generation = ? AND ${column} > ? ORDER BY ${column} LIMIT +?`,
    without,
    TENANT,
    generation,
    after,
    limit,
  );
  return {
    left: rows.filter(([, isThere]) => isThere === 0).map(([key]) => [of, key as string]),
    last: rows.length < limit ? undefined : (rows.at(-1)![0] as string),
  };
}

const KEYED = { route: ['route', 'domain'], alias: ['alias', 'address'], entry: ['alias_entry', 'dn'] } as const;

export async function countRowsIn(tx: Transaction, generation: number): Promise<TableCounts & { rows: number }> {
  const count = async (table: 'route' | 'alias' | 'routing_setting'): Promise<number> => {
    const sql = `SELECT count(*) AS n FROM ${table} WHERE tenant = ? AND generation = ?`;
    return Number((await tx.get(sql, TENANT, generation))?.['n']);
  };
  const domains = await count('route');
  const addresses = await count('alias');
  return { domains, addresses, rows: domains + addresses + (await count('routing_setting')) };
}
