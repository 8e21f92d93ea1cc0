// The change log: each revision with its time and what it changed, enough to go back as well as forward.
//
// In      one row a change, in its transaction
// Limits  rows are kept for thirty days and at most a million of them; the newest row always stays
// Never   holds a password, not even a hashed one: the log says that it changed

import { TENANT } from '../base/tenant.ts';
import { operation, type Reader, type Transaction, type Value } from '../database/operation.ts';
import type { AttributeDifference } from './draft.ts';
import { decodeValues, encodeValues } from './entries.ts';
import type { AttributeValue, DirectoryChange, Entry } from './entry.ts';

const KEEP_MS = 30 * 86_400_000;
const KEEP_ROWS = 1_000_000;
/** Rows a call of prune removes: the writer must not be held. */
const PRUNE_ROWS = 2000;

export interface ChangedAttribute {
  readonly name: string;
  readonly removed: readonly AttributeValue[];
  readonly added: readonly AttributeValue[];
}

export interface LoggedChange {
  readonly revision: number;
  readonly at: number;
  readonly kind: DirectoryChange['kind'];
  readonly uuid: string;
  /** Before the change; of an added entry, its DN. */
  readonly dn: string;
  /** After a rename. */
  readonly newDn: string | undefined;
  /** DN, '' when nobody asked. */
  readonly author: string;
  readonly attributes: readonly ChangedAttribute[];
}

interface LogOptions {
  readonly author: string;
  readonly now: number;
  readonly newDn?: string;
}

type JsonChange = {
  readonly newDn?: string;
  readonly attributes: readonly (readonly [string, ReturnType<typeof encodeValues>, ReturnType<typeof encodeValues>])[];
};

const LAST_AT = 'SELECT at FROM dit_change ORDER BY revision DESC LIMIT 1';
const INSERT =
  'INSERT INTO dit_change (revision, tenant, at, kind, uuid, dn, author, change) VALUES (?, ?, ?, ?, ?, ?, ?, ?)';
const SINCE =
  'SELECT revision, at, kind, uuid, dn, author, change FROM dit_change WHERE revision > ? ORDER BY revision LIMIT +?';
const OLDEST = 'SELECT revision FROM dit_change ORDER BY revision LIMIT 1';
const AT = 'SELECT at FROM dit_change WHERE revision <= ? ORDER BY revision DESC LIMIT 1';
const PRUNE =
  'DELETE FROM dit_change WHERE revision IN (SELECT revision FROM dit_change WHERE (at < ? OR revision <= ?) AND ' +
  'revision < (SELECT max(revision) FROM dit_change) ORDER BY revision LIMIT +?)';

/** Writes the row and returns its time, which never lies before the last one's. */
export async function logChange(
  tx: Transaction,
  kind: DirectoryChange['kind'],
  revision: number,
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

/** Changes after `revision`, oldest first. Complete only if the log still reaches back so far: see oldestLogged. */
export function changesSince(reader: Reader, revision: number, limit: number): LoggedChange[] {
  return reader.arrays(SINCE, revision, limit).map(decodeChange);
}

/** The first revision that the log still holds, undefined when it is empty. */
export function oldestLogged(reader: Reader): number | undefined {
  return reader.arrays(OLDEST)[0]?.[0] as number | undefined;
}

/** When the directory came to this revision; undefined when the log does not reach back so far. */
export function revisionTime(reader: Reader, revision: number): number | undefined {
  return reader.arrays(AT, revision)[0]?.[0] as number | undefined;
}

/** Removes some rows that are too old or too many. Returns how many: below 2000 nothing is left to do. */
export const pruneChangeLog = operation('directory.pruneChangeLog', async (tx, now: number) => {
  return tx.run(PRUNE, now - KEEP_MS, tx.revision - KEEP_ROWS, PRUNE_ROWS);
});

function decodeChange(row: readonly Value[]): LoggedChange {
  const [revision, at, kind, uuid, dn, author, json] = row;
  const change = JSON.parse(json as string) as JsonChange;
  return {
    revision: revision as number,
    at: at as number,
    kind: kind as DirectoryChange['kind'],
    uuid: uuid as string,
    dn: dn as string,
    newDn: change.newDn,
    author: author as string,
    attributes: change.attributes.map(([name, removed, added]) => ({
      name,
      removed: decodeValues(removed),
      added: decodeValues(added),
    })),
  };
}
