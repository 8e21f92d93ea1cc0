// The index made anew from all entries, when another version of the code has made the one that is there.
//
// States  begin (no row) -> slices of entries -> slices of members, whose keys are made anew -> the last one notes the version
// Limits  SLICE entries, or MEMBERS members, in one transaction. No search and no write runs meanwhile: this is done before the listeners open

import { TENANT } from '../base/tenant.ts';
import { type Derived, setDerivedVersion } from '../database/derived.ts';
import { operation } from '../database/operation.ts';
import { countEntriesIn, entriesAfterIn } from './entries.ts';
import { INDEX_VERSION, indexKeysOf } from './indexes.ts';
import { renewMembersIn } from './member-values.ts';

const SLICE = 500;
const MEMBERS = 5000;
const NAME = 'directory.index';
const INSERT = 'INSERT INTO dit_index (tenant, attribute, value, entry) VALUES (?, ?, ?, ?)';

/** The rows by which entries are found, as this version of the code makes them. */
export function directoryIndex(version = INDEX_VERSION): Derived {
  return {
    name: NAME,
    version,
    async rebuild(writer, progress) {
      const entries = await writer.execute(beginIndex, null);
      let done = 0;
      for (let after: number | undefined = 0; after !== undefined; ) {
        const slice: IndexedSlice = await writer.execute(indexSlice, after);
        done += slice.entries;
        after = slice.last;
        progress(done, entries);
      }
      for (let after: number | undefined = 0; after !== undefined; )
        after = await writer.execute(memberSlice, { after, version });
    },
  };
}

/** Gives how many entries there are. */
export const beginIndex = operation('directory.begin-index', async (tx, _args: null): Promise<number> => {
  // Without a condition SQLite frees the pages and looks at no row.
  await tx.run('DELETE FROM dit_index');
  return countEntriesIn(tx);
});

interface IndexedSlice {
  readonly entries: number;
  /** The id of the last entry, undefined when there was none. */
  readonly last: number | undefined;
}

/** Indexes the entries with ids above `after`. */
export const indexSlice = operation('directory.index-slice', async (tx, after: number): Promise<IndexedSlice> => {
  const entries = await entriesAfterIn(tx, after, SLICE);
  for (const { id, attributes } of entries)
    for (const key of indexKeysOf(attributes)) await tx.run(INSERT, TENANT, ...key, id);
  return { entries: entries.length, last: entries.at(-1)?.id };
});

/** Gives the id of the last member; where there is none above `after`, all is whole and this version's. */
export const memberSlice = operation(
  'directory.member-slice',
  async (tx, { after, version }: { after: number; version: number }): Promise<number | undefined> => {
    const last = await renewMembersIn(tx, after, MEMBERS);
    if (last === undefined) await setDerivedVersion(tx, NAME, version);
    return last;
  },
);
