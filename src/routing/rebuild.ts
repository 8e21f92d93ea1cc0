// Full synchronization: the tables compiled anew from all entries, beside those that answer meanwhile.
//
// States  begin (generation + 1, all domains) -> slices of entries, other writes in between -> finish (one row flips)
// Changes that come meanwhile are written to both generations (synchronize.ts); a slice that meets their rows finds them right.
// Limits  SLICE entries in one transaction

import { operation, type Transaction, type Writer } from '../database/operation.ts';
import { entriesAfterIn, entriesWithIn } from '../directory/entries.ts';
import type { Entry } from '../directory/entry.ts';
import { compileDomain, recipientKindOf } from './compile.ts';
import { compiled, replaceRecipient, replaceRoute } from './synchronize.ts';
import { beginGeneration, clearGeneration, finishGeneration, stateIn } from './tables.ts';

const SLICE = 200;

/** Gives the generation that is being built. One that was left unfinished is thrown away. */
export const beginRebuild = operation('routing.begin-rebuild', async (tx, _args: null): Promise<number> => {
  const generation = await beginGeneration(tx);
  // The domains first: whose addresses an entry may have depends on all of them.
  for (const objectClass of ['mailDomain', 'inetDomainAlias'])
    for await (const entry of withClass(tx, objectClass))
      await replaceRoute(tx, generation, undefined, compileDomain(entry));
  return generation;
});

/** Compiles the entries with ids above `after`; gives the last one's, undefined when there was none. */
export const rebuildSlice = operation(
  'routing.rebuild-slice',
  async (tx, after: number): Promise<number | undefined> => {
    const { building } = await stateIn(tx);
    if (building === undefined) return undefined;
    const entries = await entriesAfterIn(tx, after, SLICE);
    for (const entry of entries)
      if (recipientKindOf(entry) !== undefined)
        await replaceRecipient(tx, building, entry.normalizedDn, await compiled(tx, building, entry));
    return entries.at(-1)?.id;
  },
);

/** From here on the new generation answers. */
export const finishRebuild = operation('routing.finish-rebuild', async (tx, _args: null): Promise<number> => {
  const old = await finishGeneration(tx);
  await clearGeneration(tx, old);
  return (await stateIn(tx)).generation;
});

/** `waypost sync --full`: gives the generation that answers afterwards. */
export async function rebuild(writer: Writer): Promise<number> {
  await writer.execute(beginRebuild, null);
  let after: number | undefined = 0;
  while (after !== undefined) after = await writer.execute(rebuildSlice, after);
  return writer.execute(finishRebuild, null);
}

async function* withClass(tx: Transaction, objectClass: string): AsyncGenerator<Entry> {
  let page: Entry[] = [];
  do {
    page = await entriesWithIn(tx, 'objectClass', objectClass, SLICE, page.at(-1)?.id ?? 0);
    yield* page;
  } while (page.length === SLICE);
}
