// What is derived from entries says which version of the code derived it.
//
// In      the list in server/units.ts, each with the version of its code; the versions that the store holds
// Out     tables as today's code makes them, before the listeners open
// States  equal -> nothing is done; different, higher too -> 0, which no program takes for its own -> rebuilt in slices;
//         the version is written with the last slice, so a crash begins anew, whichever program starts next
// A store of format 1 counts as version 1 of directory.index, zones and routing; what is not named there counts as 0.

import { operation, type Reader, type Transaction, type Writer } from './operation.ts';
import { atIntervals, grouped } from './progress.ts';

/** Rows that a unit derives from the directory. */
export interface Derived {
  /** `directory.index`, `zones`, `routing`. */
  readonly name: string;
  /** Goes up with any change of the code that gives other rows for the same entries. */
  readonly version: number;
  /** All rows anew, in slices. Its last operation calls setDerivedVersion. `progress` counts entries. */
  rebuild(writer: Writer, progress: (done: number, of: number) => void): Promise<void>;
}

/** In the transaction of the last slice: from now on the rows are this version's. */
export async function setDerivedVersion(tx: Transaction, name: string, version: number): Promise<void> {
  await tx.run('INSERT OR REPLACE INTO derived (name, version) VALUES (?, ?)', name, version);
}

/** Before the first slice: no program takes rows of two versions for its own. */
export const beginDerived = operation('database.begin-derived', (tx, name: string) => setDerivedVersion(tx, name, 0));

interface RebuildOptions {
  readonly reader: Reader;
  readonly writer: Writer;
  /** In this order: later ones may read what earlier ones derive. */
  readonly derived: readonly Derived[];
  /** One line for people, on standard error. */
  readonly say: (line: string) => void;
}

/** Brings along what another version of the code has derived. */
export async function rebuildDerived({ reader, writer, derived, say }: RebuildOptions): Promise<void> {
  for (const each of derived) {
    const stored = derivedVersion(reader, each.name);
    if (stored === each.version) continue;
    const words = `compiling ${each.name} (version ${stored} to ${each.version})`;
    const line = (done: number, of: number): void => say(`${words}: ${grouped(done)} of ${grouped(of)} entries`);
    const sometimes = atIntervals(line);
    let entries = 0;
    await writer.execute(beginDerived, each.name);
    await each.rebuild(writer, (done, of) => {
      entries = of;
      if (done < of) sometimes(done, of);
    });
    line(entries, entries);
    if (derivedVersion(reader, each.name) !== each.version)
      throw new Error(`${each.name} was rebuilt without its version`);
  }
}

/** 0 for what the store has never derived. */
function derivedVersion(reader: Reader, name: string): number {
  return Number(reader.get('SELECT version FROM derived WHERE name = ?', name)?.['version'] ?? 0);
}
