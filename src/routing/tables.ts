// The routing table and the alias table as rows of the database: the only SQL of this folder.
//
//   routing_state  which generation answers, which one is being built, the revision of the last change
//   route          domain -> what to do with its addresses
//   alias          address -> the entry behind it; an address belongs to one entry only
//   alias_entry    the entry, compiled: read by address through `alias`, by DN when a list names it
//
// Incremental changes are written to the generation that answers and to the one that is being built. Written in the
// transaction of the directory change, so a reader sees the entry and its rows or neither.

import { Failure } from '../base/failure.ts';
import { idOf, type Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Unit } from '../database/format.ts';
import type { Reader, Row, Transaction } from '../database/operation.ts';
import { dcDnOfDomain } from '../directory/dn.ts';
import { formatAddress } from '../message/address.ts';
import { addressOfKey, type Problem, type RecipientRow, type RouteRow } from './rows.ts';

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
  ],
};

export interface RoutingState {
  readonly generation: number;
  readonly building: number | undefined;
  /** The tables hold all directory changes up to this revision. */
  readonly revision: Revision;
}

const STATE = 'SELECT generation, building, revision FROM routing_state WHERE tenant = ?';
const ROUTE = 'SELECT row FROM route WHERE tenant = ? AND generation = ? AND domain = ?';
const ALIAS = `SELECT e.row AS row FROM alias a JOIN alias_entry e
  ON e.tenant = a.tenant AND e.generation = a.generation AND e.dn = a.dn
  WHERE a.tenant = ? AND a.generation = ? AND a.address = ?`;
const WITH_BASE =
  'SELECT domain, row FROM route WHERE tenant = ? AND generation = ? AND base = ? ORDER BY domain LIMIT 1000';
const ENTRY = 'SELECT row FROM alias_entry WHERE tenant = ? AND generation = ? AND dn = ?';

function stateOf(row: Row | undefined): RoutingState {
  if (row === undefined) throw new Error('routing_state has no row');
  const building = row['building'];
  return {
    generation: Number(row['generation']),
    building: building === null || building === undefined ? undefined : Number(building),
    revision: idOf(row['revision']),
  };
}

function parsed<T>(row: Row | undefined): T | null {
  return row === undefined ? null : (JSON.parse(row['row'] as string) as T);
}

// Reading, on any thread.

export function readState(reader: Reader): RoutingState {
  return stateOf(reader.get(STATE, TENANT));
}

export function readRoute(reader: Reader, generation: number, domain: string): RouteRow | null {
  return parsed(reader.get(ROUTE, TENANT, generation, domain));
}

export function readAlias(reader: Reader, generation: number, address: string): RecipientRow | null {
  return parsed(reader.get(ALIAS, TENANT, generation, address));
}

export function readRecipient(reader: Reader, generation: number, dn: string): RecipientRow | null {
  return parsed(reader.get(ENTRY, TENANT, generation, dn));
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
  for (const table of ['route', 'alias_entry'] as const) {
    const sql = `SELECT row FROM ${table} WHERE tenant = ? AND generation = ? AND problems > 0 LIMIT +?`;
    for (const { row } of reader.all(sql, TENANT, generation, limit - found.length)) {
      const compiled = JSON.parse(row as string) as RouteRow | RecipientRow;
      const dn = 'dn' in compiled ? compiled.dn : dcDnOfDomain(compiled.domain);
      found.push({ dn, problems: compiled.problems ?? [] });
    }
  }
  return found;
}

// Reading and writing, in an operation.

export async function stateIn(tx: Transaction): Promise<RoutingState> {
  return stateOf(await tx.get(STATE, TENANT));
}

/** The generations that a change has to be written to. */
export function generationsOf(state: RoutingState): readonly number[] {
  return state.building === undefined ? [state.generation] : [state.generation, state.building];
}

export async function routeIn(tx: Transaction, generation: number, domain: string): Promise<RouteRow | null> {
  return parsed(await tx.get(ROUTE, TENANT, generation, domain));
}

export async function aliasIn(tx: Transaction, generation: number, address: string): Promise<RecipientRow | null> {
  return parsed(await tx.get(ALIAS, TENANT, generation, address));
}

export async function recipientIn(tx: Transaction, generation: number, dn: string): Promise<RecipientRow | null> {
  return parsed(await tx.get(ENTRY, TENANT, generation, dn));
}

/** The domains whose base is exactly this DN. */
export async function domainsWithBase(tx: Transaction, generation: number, base: string): Promise<string[]> {
  const rows = await tx.all(WITH_BASE, TENANT, generation, base);
  return rows.map(({ domain }) => String(domain));
}

/** The tables hold all that happened up to this revision; a reader's memory of an older one is void. */
export async function setRevision(tx: Transaction, revision: Revision): Promise<void> {
  await tx.run('UPDATE routing_state SET revision = ? WHERE tenant = ?', revision, TENANT);
}

/** The revision is that of the directory change, or of the last one before a full compile. */
export async function putRoute(tx: Transaction, generation: number, row: RouteRow): Promise<void> {
  await tx.run(
    'INSERT OR REPLACE INTO route (tenant, generation, domain, base, row, revision, problems) VALUES (?, ?, ?, ?, ?, ?, ?)',
    TENANT,
    generation,
    row.domain,
    row.base,
    JSON.stringify(row),
    tx.revision,
    row.problems?.length ?? 0,
  );
}

export async function deleteRoute(tx: Transaction, generation: number, domain: string): Promise<void> {
  await tx.run('DELETE FROM route WHERE tenant = ? AND generation = ? AND domain = ?', TENANT, generation, domain);
}

/** The entry has no row (see deleteRecipient). Throws `exists` (constraintViolation) for an address that is held. */
export async function putRecipient(tx: Transaction, generation: number, dn: string, row: RecipientRow): Promise<void> {
  await tx.run(
    'INSERT INTO alias_entry (tenant, generation, dn, row, revision, problems) VALUES (?, ?, ?, ?, ?, ?)',
    TENANT,
    generation,
    dn,
    JSON.stringify(row),
    tx.revision,
    row.problems?.length ?? 0,
  );
  for (const address of row.addresses) {
    const inserted = await tx.run(
      'INSERT OR IGNORE INTO alias (tenant, generation, address, dn) VALUES (?, ?, ?, ?)',
      TENANT,
      generation,
      address,
      dn,
    );
    if (inserted === 0) throw addressInUse(address);
  }
}

/** The rows of the entry that stood at this DN. `row` is what its row says. */
export async function deleteRecipient(
  tx: Transaction,
  generation: number,
  dn: string,
  row: RecipientRow,
): Promise<void> {
  await tx.run('DELETE FROM alias_entry WHERE tenant = ? AND generation = ? AND dn = ?', TENANT, generation, dn);
  for (const address of row.addresses)
    await tx.run(
      'DELETE FROM alias WHERE tenant = ? AND generation = ? AND address = ? AND dn = ?',
      TENANT,
      generation,
      address,
      dn,
    );
}

/** No fault of ours: it has no detail for the log. */
function addressInUse(address: string): Failure {
  return new Failure('exists', `the address ${formatAddress(addressOfKey(address))} is in use already`, {
    ldap: { name: 'constraintViolation' },
  });
}

// Full synchronization: a generation beside the one that answers.

export async function beginGeneration(tx: Transaction): Promise<number> {
  const { generation } = await stateIn(tx);
  await clearGeneration(tx, generation + 1);
  await tx.run('UPDATE routing_state SET building = ? WHERE tenant = ?', generation + 1, TENANT);
  return generation + 1;
}

/** The one row that flips. Gives the generation that no longer answers. */
export async function finishGeneration(tx: Transaction): Promise<number> {
  const { generation, building } = await stateIn(tx);
  if (building === undefined) throw new Error('no generation is being built');
  await tx.run(
    'UPDATE routing_state SET generation = ?, building = NULL, revision = ? WHERE tenant = ?',
    building,
    tx.revision,
    TENANT,
  );
  return generation;
}

export async function clearGeneration(tx: Transaction, generation: number): Promise<void> {
  for (const table of ['route', 'alias', 'alias_entry'] as const)
    await tx.run(`DELETE FROM ${table} WHERE tenant = ? AND generation = ?`, TENANT, generation);
}
