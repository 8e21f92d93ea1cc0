// Which generation of the tables answers, which one is being built, and what every write to them does beside.
//
//   routing_state       one row: both generations, this host's names, where the history begins
//   routing_difference  keys whose rows in the generation that is being built may differ from those that answer
//
// Incremental changes are written to the generation that answers and to the one that is being built. What moves a row of the
// answering generation writes its history and raises the routing revision.

import { idOf, type Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import type { Reader, Row, RowsOf, Transaction } from '../database/operation.ts';
import type { Here } from './here.ts';
import { type HistoryKind, type RowBefore, rememberRows } from './history.ts';

export interface RoutingState extends Here {
  readonly generation: number;
  readonly building: number | undefined;
  /** The last directory revision whose change moved a row. */
  readonly revision: Revision;
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

const STATE = 'SELECT generation, building, hostnames, default_host, history_from FROM routing_state WHERE tenant = ?';

function stateOf(row: Row | undefined, revision: Revision): RoutingState {
  if (row === undefined) throw new Error('routing_state has no row');
  const building = row['building'];
  return {
    generation: Number(row['generation']),
    building: building === null || building === undefined ? undefined : Number(building),
    revision,
    hostnames: JSON.parse(row['hostnames'] as string) as string[],
    defaultHost: (row['default_host'] as string | null) ?? undefined,
    historyFrom: idOf(row['history_from']),
  };
}

export function readState(reader: Reader): RoutingState {
  return stateOf(reader.get(STATE, TENANT), reader.routingRevision());
}

export async function stateIn(tx: Transaction): Promise<RoutingState> {
  const known = await tx.remembered(STATES, '', async () => stateOf(await tx.get(STATE, TENANT), tx.routingRevision));
  return known!.revision === tx.routingRevision ? known! : { ...known!, revision: tx.routingRevision };
}

const STATES: RowsOf<RoutingState> = { table: 'routing_state', isUnique: true };

/** The generations that a change has to be written to. */
export function generationsOf(state: RoutingState): readonly Generation[] {
  const answering: Generation = { number: state.generation, role: 'answering' };
  return state.building === undefined ? [answering] : [answering, { number: state.building, role: 'following' }];
}

/** A row of the answering generation moves: it stays in the history as it was. */
export function remember(
  tx: Transaction,
  into: Generation,
  kind: HistoryKind,
  key: string,
  before: unknown,
): Promise<void> {
  return rememberAll(tx, into, [[kind, key, before]]);
}

export async function rememberAll(tx: Transaction, into: Generation, rows: readonly RowBefore[]): Promise<void> {
  if (into.role === 'following') for (const [kind, key] of rows) await noteDifference(tx, kind, key);
  if (into.role !== 'answering') return;
  await rememberRows(tx, rows);
  await tx.routingChanged();
}

export async function noteDifference(tx: Transaction, kind: HistoryKind, key: string): Promise<void> {
  await tx.run('INSERT OR IGNORE INTO routing_difference (tenant, kind, key) VALUES (?, ?, ?)', TENANT, kind, key);
}

/** True where the names have changed and rows were compiled for other ones. */
export async function setHere(tx: Transaction, { hostnames, defaultHost }: Here): Promise<boolean> {
  const { hostnames: known, defaultHost: knownDefault, generation } = await stateIn(tx);
  if (JSON.stringify(known) === JSON.stringify(hostnames) && knownDefault === defaultHost) return false;
  const update = 'UPDATE routing_state SET hostnames = ?, default_host = ? WHERE tenant = ?';
  await tx.run(update, JSON.stringify(hostnames), defaultHost ?? null, TENANT);
  const any = 'SELECT 1 FROM alias_entry WHERE tenant = ? AND generation = ? LIMIT 1';
  return (await tx.get(any, TENANT, generation)) !== undefined;
}

export async function setHistoryFrom(tx: Transaction, revision: Revision): Promise<void> {
  await tx.run('UPDATE routing_state SET history_from = ? WHERE tenant = ?', revision, TENANT);
}
