// The marks of apexes in a store that an earlier program has written: once, in slices, before the doors open.
//
// In      the names of the zones
// Out     waypostApex in the entry of each topmost domain; a revision each, as of any change
// States  slice after slice in the order of names; the version is written with the last one, so a crash begins anew
// Limits  SLICE marks in one transaction

import { systemClock } from '../base/clock.ts';
import { type Derived, setDerivedVersion } from '../database/derived.ts';
import { operation } from '../database/operation.ts';
import { SERVER } from '../directory/caller.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { ROOT } from '../wire/dns/name.ts';
import { rangeBehind, rangeBelow, unmarkedApexes } from '../zones/unmarked.ts';
import { isApex, markOf } from './apexes.ts';
import { applyAll } from './change.ts';
import { ANY_SITE } from './write-options.ts';

const SLICE = 200;
const NAME = 'apexes';
const VERSION = 1;

export function apexMarks(): Derived {
  return {
    name: NAME,
    version: VERSION,
    async rebuild(writer, progress) {
      let done = 0;
      for (let after: string | null = ROOT; after !== null; ) {
        const slice: MarkedSlice = await writer.execute(markAll, after);
        done += slice.marked;
        after = slice.last;
        progress(done, after === null ? done : done + SLICE);
      }
    },
  };
}

interface MarkedSlice {
  readonly marked: number;
  /** null: there are no more. */
  readonly last: string | null;
}

export const markAll = operation('provisioning.mark-apexes', async (tx, after: string): Promise<MarkedSlice> => {
  const all = rangeBelow(ROOT);
  const names = await unmarkedApexes(tx, after === ROOT ? all : rangeBehind(after, all), SLICE);
  const changes: DirectoryChange[] = [];
  for (const name of names) if (await isApex(tx, name)) changes.push(markOf(name));
  const options = { now: systemClock.now(), isRoot: true, ofServer: true, site: ANY_SITE };
  await applyAll(tx, changes, SERVER, options);
  const last = names.length < SLICE ? null : names.at(-1)!;
  if (last === null) await setDerivedVersion(tx, NAME, VERSION);
  return { marked: changes.length, last };
});
