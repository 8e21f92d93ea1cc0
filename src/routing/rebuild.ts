// Full synchronization: the tables compiled anew from all entries, beside those that answer meanwhile.
//
// States  begin (generation + 1: domains, rules, channels, hosts) -> slices of entries -> slices of rows that have no entry
//         any more -> finish (one row flips, at a revision of its own) -> slices of the old generation's removal.
//         A crash leaves the old generation answering; the next start, or the next run, drops what is half built
// Changes that come meanwhile are written to both generations (synchronize.ts); a slice that meets their rows finds them right.
// What differs is gathered while it is built, so that finish has only that to write into the history.
// Limits  SLICE entries or rows in one transaction; one at a time

import { Failure } from '../base/failure.ts';
import { type Derived, setDerivedVersion } from '../database/derived.ts';
import { operation, type Transaction, type Writer } from '../database/operation.ts';
import { countEntriesIn, entriesAfterIn, entriesWithIn } from '../directory/entries.ts';
import type { Entry } from '../directory/entry.ts';
import { ROUTED_CLASSES } from '../directory/mail-domain.ts';
import { domainsOf, routeOfDirectory } from './associated-domains.ts';
import { COMPILER_VERSION } from './compile.ts';
import { claimantsOf, contestedOf } from './contested.ts';
import { type Generation, noteDifference, type RoutingState, setHistoryFrom, stateIn } from './generation.ts';
import { type HistoryKind, rememberRows } from './history.ts';
import {
  beginGeneration,
  clearOthers,
  differencesIn,
  dropBuilding,
  finishGeneration,
  forgetDifferences,
  keysWithout,
  rowIn,
} from './next-generation.ts';
import { compileSetting } from './settings.ts';
import { compiled, replaceRecipient, replaceRoute, replaceSetting, withoutHeld } from './synchronize.ts';
import { countRowsIn } from './table-contents.ts';
import { aliasDnIn, recipientIn } from './tables.ts';

const SLICE = 200;
/** Rows of the old generation that one transaction removes or looks at. */
const ROWS_A_SLICE = 2000;
/** Where more differ, the history begins anew, and who remembers rows forgets them all. */
const DIFFERENCES_MAX = 100_000;
const NAME = 'routing';

/** What a full synchronization has found. */
export interface FullSynchronization {
  readonly generation: number;
  readonly domains: number;
  readonly addresses: number;
  /** Rows that are compared: domains, addresses, rules, channels and hosts. */
  readonly rows: number;
  /** Rows of the old generation that were not as their entries say. */
  readonly differences: number;
}

/** The routing and the alias table, as this version of the compiler makes them. */
export function routingTables(version = COMPILER_VERSION): Derived {
  return {
    name: NAME,
    version,
    async rebuild(writer, progress) {
      await dropHalfBuilt(writer);
      const steps = synchronizeFully(writer, version);
      for (let step = await steps.next(); step.done !== true; step = await steps.next())
        progress(step.value.done, step.value.of);
    },
  };
}

/** Entries that are compiled. */
interface Progress {
  readonly done: number;
  readonly of: number;
}

/**
 * A slice a step. `version`: the rows that answer were made by another version of the compiler than this one, so there is
 * no history across it. Throws `unavailable` where a full synchronization is under way.
 */
export async function* synchronizeFully(
  writer: Writer,
  version?: number,
): AsyncGenerator<Progress, FullSynchronization, void> {
  const isCompared = version === undefined;
  const of = await writer.execute(beginRebuild, null);
  yield { done: 0, of };
  for (const objectClass of ROUTED_CLASSES)
    for (let after: number | undefined = 0; after !== undefined; yield { done: 0, of })
      after = await writer.execute(rebuildDomains, { objectClass, after, isCompared });
  let done = 0;
  for (let after: number | undefined = 0; after !== undefined; yield { done, of }) {
    const slice: Slice = await writer.execute(rebuildSlice, { after, isCompared });
    done = Math.min(done + slice.entries, of);
    after = slice.last;
  }
  if (isCompared)
    for (const kind of ['route', 'alias', 'entry', 'setting'] as const)
      for (let after: string | undefined = ''; after !== undefined; yield { done, of })
        after = await writer.execute(rebuildLeftovers, { kind, after });
  const found = await writer.execute(finishRebuild, version ?? null);
  await clearOld(writer);
  return found;
}

/** What a crash has left half built goes; nothing of it has answered. */
export async function dropHalfBuilt(writer: Writer): Promise<void> {
  await writer.execute(dropRebuild, null);
  await clearOld(writer);
}

async function clearOld(writer: Writer): Promise<void> {
  while (await writer.execute(clearOldGeneration, null));
}

/** Gives how many entries there are. */
export const beginRebuild = operation('routing.begin-rebuild', async (tx, _args: null): Promise<number> => {
  if ((await stateIn(tx)).building !== undefined)
    throw new Failure('unavailable', 'A full synchronization is under way, try again later');
  await beginGeneration(tx);
  return countEntriesIn(tx);
});

interface DomainSlice {
  readonly objectClass: string;
  readonly after: number;
  readonly isCompared: boolean;
}

/** The domains first: whose addresses an entry may have depends on all of them. Gives the id of the last one. */
const rebuildDomains = operation(
  'routing.rebuild-domains',
  async (tx, { objectClass, after, isCompared }: DomainSlice): Promise<number | undefined> => {
    const state = await stateIn(tx);
    const entries = await entriesWithIn(tx, 'objectClass', objectClass, SLICE, after);
    for (const entry of entries) {
      for (const domain of domainsOf(entry)) {
        await replaceRoute(tx, builtIn(state), domain, await routeOfDirectory(tx, domain));
        if (isCompared) await compare(tx, state, 'route', domain);
      }
    }
    return entries.length < SLICE ? undefined : entries.at(-1)!.id;
  },
);

interface EntrySlice {
  /** The id of the last entry of the slice before. */
  readonly after: number;
  readonly isCompared: boolean;
}

interface Slice {
  readonly entries: number;
  /** The id of the last entry, undefined when there was none. */
  readonly last: number | undefined;
}

/** Compiles the next entries. */
export const rebuildSlice = operation(
  'routing.rebuild-slice',
  async (tx, { after, isCompared }: EntrySlice): Promise<Slice> => {
    const state = await stateIn(tx);
    const built = builtIn(state);
    const entries = await entriesAfterIn(tx, after, SLICE);
    for (const entry of entries) {
      const setting = compileSetting(entry);
      if (setting !== undefined) {
        await replaceSetting(tx, built, setting, setting);
        if (isCompared) await compare(tx, state, setting.kind, setting.key);
      }
      await rebuildRecipient(tx, state, entry, isCompared);
    }
    return { entries: entries.length, last: entries.at(-1)?.id };
  },
);

async function rebuildRecipient(
  tx: Transaction,
  state: RoutingState,
  entry: Entry,
  isCompared: boolean,
): Promise<void> {
  const built = builtIn(state);
  const today = await compiled(tx, state, built.number, entry);
  if (today === undefined) return;
  const dn = entry.normalizedDn;
  await replaceRecipient(tx, built, dn, { ...today, row: await withoutHeld(tx, state, today, undefined) });
  if (!isCompared) return;
  const row = (await recipientIn(tx, built.number, dn))!;
  const answering = await recipientIn(tx, state.generation, dn);
  if (JSON.stringify(answering) !== JSON.stringify(row)) await noteDifference(tx, 'entry', dn);
  for (const address of row.addresses)
    if ((await aliasDnIn(tx, state.generation, address)) !== dn) await noteDifference(tx, 'alias', address);
  // Another's row has moved with this one.
  for (const address of contestedOf(row)) {
    await noteDifference(tx, 'alias', address);
    for (const each of claimantsOf(await aliasDnIn(tx, built.number, address))) await noteDifference(tx, 'entry', each);
  }
}

interface LeftoverSlice {
  readonly kind: 'route' | 'alias' | 'entry' | 'setting';
  readonly after: string;
}

/** Rows that answer and that no entry has made again. Gives the last key that was looked at. */
const rebuildLeftovers = operation(
  'routing.rebuild-leftovers',
  async (tx, { kind, after }: LeftoverSlice): Promise<string | undefined> => {
    const { generation, building } = await stateIn(tx);
    const { left, last } = await keysWithout(tx, kind, {
      generation,
      without: building!,
      after,
      limit: ROWS_A_SLICE,
    });
    for (const [each, key] of left) await noteDifference(tx, each, key);
    return last;
  },
);

/** From here on the new generation answers. `version`: made by another version of the compiler. */
export const finishRebuild = operation(
  'routing.finish-rebuild',
  async (tx, version: number | null): Promise<FullSynchronization> => {
    const state = await stateIn(tx);
    const building = state.building!;
    const revision = await tx.nextRevision();
    const noted = version === null ? await differencesIn(tx, DIFFERENCES_MAX + 1) : [];
    const isRemembered = version === null && noted.length <= DIFFERENCES_MAX;
    let differences = 0;
    for (const { kind, key } of noted) {
      const before = await rowIn(tx, state.generation, kind, key);
      if (JSON.stringify(before) === JSON.stringify(await rowIn(tx, building, kind, key))) continue;
      differences++;
      if (isRemembered) await rememberRows(tx, [[kind, key, before]]);
    }
    if (!isRemembered) await setHistoryFrom(tx, revision);
    await forgetDifferences(tx);
    await finishGeneration(tx, building);
    await tx.routingChanged();
    if (version !== null) await setDerivedVersion(tx, NAME, version);
    return { generation: building, ...(await countRowsIn(tx, building)), differences };
  },
);

/** True as long as there may be more. */
const clearOldGeneration = operation('routing.clear-old', (tx, _args: null) => clearOthers(tx, ROWS_A_SLICE));

const dropRebuild = operation('routing.drop-rebuild', async (tx, _args: null): Promise<void> => {
  await dropBuilding(tx);
  await forgetDifferences(tx);
});

function builtIn({ building }: RoutingState): Generation {
  if (building === undefined) throw new Error('no generation is being built');
  return { number: building, role: 'building' };
}

async function compare(tx: Transaction, state: RoutingState, kind: HistoryKind, key: string): Promise<void> {
  const is = await rowIn(tx, state.generation, kind, key);
  if (JSON.stringify(is) !== JSON.stringify(await rowIn(tx, state.building!, kind, key)))
    await noteDifference(tx, kind, key);
}

export const rebuildOperations = [
  beginRebuild,
  rebuildDomains,
  rebuildSlice,
  rebuildLeftovers,
  finishRebuild,
  clearOldGeneration,
  dropRebuild,
];
