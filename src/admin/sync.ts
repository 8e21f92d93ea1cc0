// sync status: what the tables hold, how far behind the directory they are, and what the compiler could not use.

import { z } from 'zod';
import type { Revision } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { misplacedDomains } from '../routing/misplaced.ts';
import { countRows, type EntryProblems, readProblems, readState } from '../routing/tables.ts';
import { adminOperation } from './operation.ts';

export interface SyncStatus {
  /** The directory's revision; the tables hold all changes up to it. */
  readonly revision: Revision;
  readonly tableRevision: number;
  /** Of the last change that moved a row of the tables. */
  readonly changedRevision: Revision;
  readonly generation: number;
  readonly domains: number;
  readonly addresses: number;
  readonly problems: readonly EntryProblems[];
}

export const syncStatus = (parts: { readonly reader: Reader }) =>
  adminOperation('sync.status', z.object({}), async (): Promise<SyncStatus> => {
    const { reader } = parts;
    const misplaced = await misplacedDomains(reader);
    return reader.snapshot(() => {
      const state = readState(reader);
      return {
        revision: reader.revision(),
        tableRevision: reader.revision(),
        changedRevision: state.revision,
        generation: state.generation,
        ...countRows(reader),
        problems: [...readProblems(reader), ...misplaced],
      };
    });
  });
