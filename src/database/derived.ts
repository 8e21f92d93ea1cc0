// What is derived from entries says which version of the code derived it.
//
// In      the list in server/units.ts, each with the version of its code; the versions that the store holds
// Out     tables as today's code makes them, before anybody asks
// States  equal -> nothing is done; different, higher too -> rebuilt in slices; the version is written with the last
//         slice, so a crash begins anew
// A store of format 1 counts as version 1 of directory.index, zones and routing; what is not named there counts as 0.

import type { Transaction, Writer } from './operation.ts';

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
