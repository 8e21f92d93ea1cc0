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
import { compiled, replaceRecipient, replaceRoute, withoutHeld } from './synchronize.ts';
import { beginGeneration, clearGeneration, finishGeneration, stateIn } from './tables.ts';

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
    if (row !== undefined)
      await replaceRecipient(tx, building, entry.normalizedDn, await withoutHeld(tx, state, row, undefined));
  }
  return { entries: entries.length, last: entries.at(-1)?.id };
});

/** From here on the new generation answers, made by this version of the compiler. */
export const finishRebuild = operation('routing.finish-rebuild', async (tx, version: number): Promise<void> => {
  await clearGeneration(tx, await finishGeneration(tx));
  await setDerivedVersion(tx, NAME, version);
});

async function* withClass(tx: Transaction, objectClass: string): AsyncGenerator<Entry> {
  let page: Entry[] = [];
  do {
    page = await entriesWithIn(tx, 'objectClass', objectClass, SLICE, page.at(-1)?.id ?? 0);
    yield* page;
  } while (page.length === SLICE);
}
