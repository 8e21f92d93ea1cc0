// The change log: each revision with its time and what it changed, enough to go back as well as forward.
//
// In      one row a change, in its transaction
// Limits  rows are kept for thirty days and at most a million of them; the newest row always stays
// Never   holds a password, not even a hashed one: the log says that it changed

import { idOf, type Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import { operation, type Reader, type Transaction } from '../database/operation.ts';
import type { AttributeDifference } from './draft.ts';
import { encodeValues } from './entries.ts';
import type { DirectoryChange, Entry } from './entry.ts';

const KEEP_MS = 30 * 86_400_000;
const KEEP_ROWS = 1_000_000;
/** Rows a call of prune removes: the writer must not be held. */
const PRUNE_ROWS = 2000;

interface LogOptions {
  readonly author: string;
  readonly now: number;
  readonly newDn?: string;
}

/** As the row holds it: of each attribute its name, the values removed and the values added. `newDn` after a rename. */
export type JsonChange = {
  readonly newDn?: string;
  readonly attributes: readonly (readonly [string, ReturnType<typeof encodeValues>, ReturnType<typeof encodeValues>])[];
};

const LAST_AT = 'SELECT at FROM dit_change ORDER BY revision DESC LIMIT 1';
const INSERT =
  'INSERT INTO dit_change (revision, tenant, at, kind, uuid, dn, author, change) VALUES (?, ?, ?, ?, ?, ?, ?, ?)';
const AFTER = 'SELECT revision, at, dn, author FROM dit_change WHERE revision > ? ORDER BY revision LIMIT +?';
const PRUNE =
  'DELETE FROM dit_change WHERE revision IN (SELECT revision FROM dit_change WHERE (at < ? OR revision <= ?) AND ' +
  'revision < (SELECT max(revision) FROM dit_change) ORDER BY revision LIMIT +?)';

/** Writes the row and returns its time, which never lies before the last one's. */
export async function logChange(
  tx: Transaction,
  kind: DirectoryChange['kind'],
  revision: Revision,
  entry: Entry,
  differences: readonly AttributeDifference[],
  options: LogOptions,
): Promise<void> {
  const last = await tx.arrays(LAST_AT);
  const at = Math.max(options.now, (last[0]?.[0] as number | undefined) ?? 0);
  const change: JsonChange = {
    ...(options.newDn === undefined ? {} : { newDn: options.newDn }),
    attributes: differences.map(({ description, removed, added }) =>
      description.type.isSecret
        ? [description.name, [], []]
        : [description.name, encodeValues(removed), encodeValues(added)],
    ),
  };
  await tx.run(INSERT, revision, TENANT, at, kind, entry.uuid, entry.dn, options.author, JSON.stringify(change));
}

/** Removes some rows that are too old or too many. Returns how many: fewer than 2000 means that all are removed. */
export const pruneChangeLog = operation('directory.pruneChangeLog', async (tx, now: number) => {
  return tx.run(PRUNE, now - KEEP_MS, tx.revision - KEEP_ROWS, PRUNE_ROWS);
});

/** The oldest revision that the log still has. */
export async function oldestChangeIn(tx: Transaction): Promise<Revision | undefined> {
  const row = (await tx.arrays('SELECT min(revision) FROM dit_change'))[0];
  return row?.[0] == null ? undefined : idOf(row[0]);
}

/** A change as the log has it, without what was changed. */
export interface AuditedChange {
  readonly revision: Revision;
  /** Epoch milliseconds. */
  readonly at: number;
  /** Of the entry, as it was before. */
  readonly dn: string;
  /** A DN; '' for nobody. */
  readonly author: string;
}

/** The next changes behind this revision, the oldest first. */
export function changesAfter(reader: Reader, revision: Revision, count: number): AuditedChange[] {
  return reader.arrays(AFTER, revision, count).map(([number, at, dn, author]) => ({
    revision: idOf<Revision>(number),
    at: Number(at),
    dn: String(dn),
    author: String(author),
  }));
}
