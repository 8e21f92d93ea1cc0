// What changes would do to routing: they are made, looked at and undone, in one transaction that nobody sees.
//
// In      changes, and addresses to be asked for behind them
// Out     entries and rows that would be made, changed or removed, and the reply that each address would get
// Never   leaves anything behind: the history of the tables says what has moved, and goes with the rest

import type { Revision } from '../base/ids.ts';
import { isAccepted, type Reply } from '../base/reply.ts';
import { operation, type Transaction } from '../database/operation.ts';
import type { AttributeValue, DirectoryChange } from '../directory/entry.ts';
import { schema } from '../directory/schema.ts';
import { stateIn } from '../routing/generation.ts';
import { changedKeysIn, type HistoryKind, rowBeforeIn } from '../routing/history.ts';
import { rowIn } from '../routing/next-generation.ts';
import type { Site } from '../routing/resolve.ts';
import { LoadedTables, resolveIn } from '../routing/resolve-in.ts';
import { INTERNAL_REQUEST } from '../routing/route-request.ts';
import { addressOfKey, type RecipientRow } from '../routing/rows.ts';
import { applyAll, type ChangeArguments, type EntrySummary } from './change.ts';
import { ANY_SITE } from './write-options.ts';

export interface DiffArguments extends Omit<ChangeArguments, 'dryRun' | 'session'> {
  readonly site: Site;
  /** Keys of addresses. */
  readonly asked: readonly string[];
}

export interface MovedRow {
  readonly key: string;
  readonly change: 'made' | 'changed' | 'removed';
}

export interface Diff {
  readonly entries: readonly EntrySummary[];
  /** Domains. */
  readonly routes: readonly MovedRow[];
  /** Addresses: those that lead elsewhere, and those whose entry has another row. */
  readonly aliases: readonly MovedRow[];
  /** Of those that were asked for: the reply, where it is no acceptance. */
  readonly refused: readonly { readonly key: string; readonly reply: Reply }[];
}

/** Rows that are named. */
const ROWS_MAX = 10_000;

export const diff = operation('provisioning.diff', async (tx, args: DiffArguments): Promise<Diff> => {
  const { revision } = tx;
  const { entries } = await applyAll(tx, args.changes.map(withoutPasswords), args.caller, {
    now: args.now,
    session: undefined,
    site: ANY_SITE,
  });
  const moved = await movedRows(tx, revision);
  return tx.rollbackWith({ entries, ...moved, refused: await refusedOf(tx, args) });
});

/** None is needed here, and none that is clear may reach a transaction: one that nothing matches stands for each. */
function withoutPasswords(change: DirectoryChange): DirectoryChange {
  const isSecret = (name: string): boolean => {
    const type = schema().description(name)?.type;
    // A key is stored as it is and checked when it is written.
    return type?.isSecret === true && !type.isHidden;
  };
  const blind = (name: string, values: readonly AttributeValue[]): readonly AttributeValue[] =>
    isSecret(name) && values.length > 0 ? ['{ARGON2}none'] : values;
  switch (change.kind) {
    case 'add':
      return {
        ...change,
        attributes: change.attributes.map(({ name, values }) => ({ name, values: blind(name, values) })),
      };
    case 'modify': {
      const modifications = change.modifications
        // The values of a deletion would have to be there.
        .filter(({ operation: kind, attribute }) => kind !== 'delete' || !isSecret(attribute))
        .map((each) => ({ ...each, values: blind(each.attribute, each.values) }));
      return { ...change, modifications };
    }
    default:
      return change;
  }
}

async function movedRows(tx: Transaction, since: Revision): Promise<Pick<Diff, 'routes' | 'aliases'>> {
  const { generation } = await stateIn(tx);
  const routes = new Map<string, MovedRow>();
  const aliases = new Map<string, MovedRow>();
  for (const { kind, key } of await changedKeysIn(tx, since, ROWS_MAX)) {
    const before = await rowBeforeIn(tx, kind, key, since);
    const after = await rowIn(tx, generation, kind, key);
    if (JSON.stringify(before) === JSON.stringify(after)) continue;
    const change = before === null ? 'made' : after === null ? 'removed' : 'changed';
    if (kind === 'route') routes.set(key, { key, change });
    else if (kind === 'alias') aliases.set(key, { key, change });
    else
      for (const address of addressesOf(kind, before, after))
        if (!aliases.has(address)) aliases.set(address, { key: address, change: 'changed' });
  }
  return { routes: sorted(routes), aliases: sorted(aliases) };
}

/** Addresses that lead to this entry before and after: those of other ones are keys of their own. */
function addressesOf(kind: HistoryKind, before: unknown, after: unknown): readonly string[] {
  if (kind !== 'entry' || before === null || after === null) return [];
  const kept = new Set((after as RecipientRow).addresses);
  return (before as RecipientRow).addresses.filter((address) => kept.has(address));
}

function sorted(rows: ReadonlyMap<string, MovedRow>): MovedRow[] {
  return [...rows.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

async function refusedOf(tx: Transaction, { asked, site }: DiffArguments): Promise<Diff['refused']> {
  const refused: Diff['refused'][number][] = [];
  const loaded = new LoadedTables();
  for (const key of asked) {
    const { reply } = await resolveIn(tx, addressOfKey(key), INTERNAL_REQUEST, site, loaded);
    if (!isAccepted(reply)) refused.push({ key, reply });
  }
  return refused;
}
