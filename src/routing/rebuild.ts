// Full synchronization: the tables compiled anew from all entries, beside those that answer meanwhile.
//
// States  begin (generation + 1, all domains) -> slices of entries, other writes in between -> finish (one row flips, and
//         the compiler's version is written); a crash leaves the old generation answering, and begin throws the new away
// Changes that come meanwhile are written to both generations (synchronize.ts); a slice that meets their rows finds them right.
// Limits  SLICE entries in one transaction

import { type Derived, setDerivedVersion } from '../database/derived.ts';
import { operation, type Transaction } from '../database/operation.ts';
import { countEntriesIn, entriesAfterIn, entriesWithIn } from '../directory/entries.ts';
import type { Entry } from '../directory/entry.ts';
import { DOMAIN_CLASSES } from '../directory/mail-domain.ts';
import { COMPILER_VERSION, compileDomain } from './compile.ts';
import type { Problem, RecipientRow } from './rows.ts';
import { compiled, replaceRecipient, replaceRoute } from './synchronize.ts';
import {
  aliasIn,
  beginGeneration,
  clearGeneration,
  finishGeneration,
  generationsOf,
  type RoutingState,
  stateIn,
} from './tables.ts';

const SLICE = 200;
const NAME = 'routing';

/** The routing and the alias table, as this version of the compiler makes them. */
export function routingTables(version = COMPILER_VERSION): Derived {
  return {
    name: NAME,
    version,
    async rebuild(writer, progress) {
      const entries = await writer.execute(beginRebuild, null);
      let done = 0;
      for (let after: number | undefined = 0; after !== undefined; ) {
        const slice: Slice = await writer.execute(rebuildSlice, after);
        done += slice.entries;
        after = slice.last;
        progress(Math.min(done, entries), entries);
      }
      await writer.execute(finishRebuild, version);
    },
  };
}

/** Gives how many entries there are. A generation that was left unfinished is thrown away. */
export const beginRebuild = operation('routing.begin-rebuild', async (tx, _args: null): Promise<number> => {
  const generation = await beginGeneration(tx);
  // The domains first: whose addresses an entry may have depends on all of them.
  for (const objectClass of DOMAIN_CLASSES)
    for await (const entry of withClass(tx, objectClass))
      await replaceRoute(tx, generation, undefined, compileDomain(entry));
  return countEntriesIn(tx);
});

interface Slice {
  readonly entries: number;
  /** The id of the last entry, undefined when there was none. */
  readonly last: number | undefined;
}

/** Compiles the entries with ids above `after`. */
export const rebuildSlice = operation('routing.rebuild-slice', async (tx, after: number): Promise<Slice> => {
  const state = await stateIn(tx);
  const { building } = state;
  if (building === undefined) return { entries: 0, last: undefined };
  const entries = await entriesAfterIn(tx, after, SLICE);
  for (const entry of entries) {
    const row = await compiled(tx, building, entry);
    if (row !== undefined) await replaceRecipient(tx, building, entry.normalizedDn, await withoutHeld(tx, state, row));
  }
  return { entries: entries.length, last: entries.at(-1)?.id };
});

/** From here on the new generation answers, made by this version of the compiler. */
export const finishRebuild = operation('routing.finish-rebuild', async (tx, version: number): Promise<void> => {
  await clearGeneration(tx, await finishGeneration(tx));
  await setDerivedVersion(tx, NAME, version);
});

/**
 * What an older compiler could not read as an address of this entry may be another entry's by now. It stays with the one
 * that it routes to, and the other row names the problem: a start must not end because of an entry.
 */
async function withoutHeld(tx: Transaction, state: RoutingState, row: RecipientRow): Promise<RecipientRow> {
  const problems: Problem[] = [];
  const free = async (keys: readonly string[]): Promise<string[]> => {
    const kept: string[] = [];
    for (const key of keys) {
      const holder = await holderOf(tx, state, key, row);
      if (holder === undefined) kept.push(key);
      else problems.push({ attribute: 'mail', value: key, reason: `is an address of ${holder.dn}` });
    }
    return kept;
  };
  const addresses = await free(row.addresses);
  const equivalents = await free(row.equivalents ?? []);
  if (problems.length === 0) return row;
  const { equivalents: _, ...rest } = row;
  return {
    ...rest,
    addresses,
    ...(equivalents.length === 0 ? {} : { equivalents }),
    problems: [...(row.problems ?? []), ...problems],
  };
}

/** Another entry that has this address, in the generation that answers or in the one being built. */
async function holderOf(tx: Transaction, state: RoutingState, key: string, row: RecipientRow) {
  for (const generation of generationsOf(state)) {
    const holder = await aliasIn(tx, generation, key);
    if (holder !== null && holder.entry !== row.entry) return holder;
  }
  return undefined;
}

async function* withClass(tx: Transaction, objectClass: string): AsyncGenerator<Entry> {
  let page: Entry[] = [];
  do {
    page = await entriesWithIn(tx, 'objectClass', objectClass, SLICE, page.at(-1)?.id ?? 0);
    yield* page;
  } while (page.length === SLICE);
}
