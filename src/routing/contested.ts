// Addresses that several entries of one source have: they lead to nobody until one of them alone has the address.
//
// In      a row as it is compiled, and whom the alias table has for its addresses
// Out     the row without what others of its source have too, named as problems; the alias table names all who have it
// States  an entry's own -> contested, its DNs as JSON in place of one DN -> the last one's own (synchronize.ts)
// Rules   whoever comes first has no more than who comes later: any order of changes ends in the same rows
// Never   concerns entries of ours, which are refused an address that another one has

import type { Transaction } from '../database/operation.ts';
import { entryByIdIn } from '../directory/entries.ts';
import type { Generation } from './generation.ts';
import type { Problem, RecipientRow } from './rows.ts';
import { aliasDnIn, mendAlias, type PlacedRow, placedIn, recipientIn, writeRecipient } from './tables.ts';

/** A row before it is known who else has its addresses. */
export interface CompiledRow extends PlacedRow {
  /** Whose entry it is; undefined: ours. */
  readonly source: string | undefined;
}

const CONTESTED = 'is an address of several entries of the source, and leads to none of them';

/** Normalized DNs, in order, by what the alias table has for an address. */
export function claimantsOf(leadsTo: string | null): readonly string[] {
  if (leadsTo === null) return [];
  return isContested(leadsTo) ? (JSON.parse(leadsTo) as string[]) : [leadsTo];
}

/** No DN begins with a bracket. */
export function isContested(leadsTo: string | null): leadsTo is string {
  return leadsTo?.startsWith('[') === true;
}

export function contestedText(claimants: readonly string[]): string {
  return JSON.stringify([...claimants].sort());
}

/** Keys of the row's addresses that it does not have because others have them too. */
export function contestedOf(row: RecipientRow | null | undefined): readonly string[] {
  return row?.problems?.filter(({ reason }) => reason === CONTESTED).map(({ value }) => value) ?? [];
}

/** The row without these addresses, which become problems. */
export function apartFrom(row: RecipientRow, keys: ReadonlySet<string>): RecipientRow {
  if (keys.size === 0) return row;
  const isOther = ({ reason }: Problem): boolean => reason !== CONTESTED;
  const contested = [...keys.union(new Set(contestedOf(row)))].sort();
  const problems = contested.map((value) => ({ attribute: 'mail', value, reason: CONTESTED }));
  return {
    ...row,
    addresses: row.addresses.filter((key) => !keys.has(key)),
    problems: [...(row.problems ?? []).filter(isOther), ...problems],
  };
}

/** The row as it stands beside the others. `before`: as it stood. */
export async function withoutContested(
  tx: Transaction,
  { number }: Generation,
  dn: string,
  { compiled, before }: { readonly compiled: CompiledRow; readonly before: RecipientRow | null },
): Promise<RecipientRow> {
  const { row, source } = compiled;
  if (source === undefined && contestedOf(before).length === 0) return row;
  const keys = new Set<string>();
  for (const key of row.addresses) {
    const leadsTo = await aliasDnIn(tx, number, key);
    if (leadsTo === null || leadsTo === dn) continue;
    const claimants = claimantsOf(leadsTo);
    if (claimants.includes(dn) || (await isOfSource(tx, number, { key, leadsTo, source }))) keys.add(key);
  }
  return apartFrom(row, keys);
}

/** Whether the address is an entry's of this source, by its row. */
async function isOfSource(
  tx: Transaction,
  generation: number,
  { key, leadsTo, source }: { readonly key: string; readonly leadsTo: string; readonly source: string | undefined },
): Promise<boolean> {
  const holder = await recipientIn(tx, generation, claimantsOf(leadsTo)[0]!);
  const has = isContested(leadsTo) ? contestedOf(holder) : (holder?.addresses ?? []);
  if (source === undefined || holder === null || !has.includes(key)) return false;
  return (await entryByIdIn(tx, holder.entry))?.source === source;
}

/** The address becomes this entry's too. Who has had it alone has it no more. */
export async function contest(tx: Transaction, into: Generation, key: string, dn: string): Promise<void> {
  const leadsTo = await aliasDnIn(tx, into.number, key);
  const claimants = claimantsOf(leadsTo);
  if (claimants.includes(dn)) return;
  const holder = isContested(leadsTo) || leadsTo === null ? null : await placedIn(tx, into.number, leadsTo);
  if (holder !== null) {
    const after = { ...holder, row: apartFrom(holder.row, new Set([key])) };
    await writeRecipient(tx, into, leadsTo!, { before: holder.row, after });
  }
  const after = contestedText([...claimants, dn]);
  await mendAlias(tx, into, key, { before: leadsTo, after });
}
