// How many user entries have a password without keys for SCRAM, and the secret behind the salts of names without keys.
//
// In      each change of an entry, in its transaction
// Out     the count; what it is derived from, for a store that an older program has written
// Not     counted: the site postmaster that the first start makes

import { type Derived, setDerivedVersion } from '../database/derived.ts';
import { operation, type Reader, type Transaction } from '../database/operation.ts';
import { countEntriesIn, entriesAfterIn } from '../directory/entries.ts';
import type { Entry } from '../directory/entry.ts';
import { isSitePostmaster, recipientKindOf } from '../routing/compile.ts';
import { lacksKeys } from './scram-keys.ts';

const NAME = 'scram';
const VERSION = 1;
const SLICE = 200;

export function noteScramKeys(tx: Transaction, before: Entry | undefined, after: Entry | undefined): void {
  const difference = countOf(after) - countOf(before);
  if (difference !== 0) tx.tally('UPDATE scram SET without = without + ? WHERE id = 1', difference);
}

export function countWithoutKeys(reader: Reader): number {
  return Number(reader.get('SELECT without FROM scram WHERE id = 1')?.['without'] ?? 0);
}

export function scramSecret(reader: Reader): Uint8Array {
  return reader.get('SELECT secret FROM scram WHERE id = 1')!['secret'] as Uint8Array;
}

function countOf(entry: Entry | undefined): number {
  if (entry === undefined || recipientKindOf(entry) !== 'user') return 0;
  if (isSitePostmaster(entry)) return 0;
  return lacksKeys(entry.attributes.get('userpassword')?.values ?? []) ? 1 : 0;
}

/** The count, from all entries. */
export function scramCount(): Derived {
  return {
    name: NAME,
    version: VERSION,
    async rebuild(writer, progress) {
      const entries = await writer.execute(beginScramCount, null);
      let done = 0;
      for (let after: number | undefined = 0; after !== undefined; ) {
        const slice: Slice = await writer.execute(scramCountSlice, after);
        done += slice.entries;
        after = slice.last;
        progress(Math.min(done, entries), entries);
      }
      await writer.execute(finishScramCount, null);
    },
  };
}

const beginScramCount = operation('scram.begin-count', async (tx, _args: null): Promise<number> => {
  await tx.run('UPDATE scram SET without = 0 WHERE id = 1');
  return countEntriesIn(tx);
});

interface Slice {
  readonly entries: number;
  /** The id of the last entry, undefined when there was none. */
  readonly last: number | undefined;
}

const scramCountSlice = operation('scram.count-slice', async (tx, after: number): Promise<Slice> => {
  const entries = await entriesAfterIn(tx, after, SLICE);
  for (const entry of entries) noteScramKeys(tx, undefined, entry);
  return { entries: entries.length, last: entries.at(-1)?.id };
});

const finishScramCount = operation('scram.finish-count', (tx, _args: null) => setDerivedVersion(tx, NAME, VERSION));

export const scramOperations = [beginScramCount, scramCountSlice, finishScramCount];
