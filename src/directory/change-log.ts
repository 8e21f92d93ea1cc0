// The change log: each revision with its time and what it changed, enough to go back as well as forward.
//
// In      one row a change, in its transaction
// Limits  rows are kept for thirty days and at most a million of them; the newest row always stays
// Never   holds a password, not even a hashed one: the log says that it changed

import { DAY_MS } from '../base/duration.ts';
import { idOf, type Revision } from '../base/ids.ts';
import { TENANT } from '../base/tenant.ts';
import { operation, type Reader, type Transaction, type Value } from '../database/operation.ts';
import type { AttributeDifference } from './draft.ts';
import { decodeValues, encodeValues } from './entries.ts';
import type { AttributeValue, DirectoryChange, Entry } from './entry.ts';
import type { RemovedPlaces } from './member-values.ts';

const KEEP_MS = 30 * DAY_MS;
const KEEP_ROWS = 1_000_000;
/** Rows a call of prune removes: the writer must not be held. */
const PRUNE_ROWS = 2000;

interface LogOptions {
  readonly author: string;
  readonly now: number;
  readonly newDn?: string;
  readonly places?: RemovedPlaces;
  /** Of another server, whose revisions and times are ours: what it has told of one already stays. */
  readonly revision?: Revision | undefined;
}

type JsonValues = ReturnType<typeof encodeValues>;

/**
 * As the row holds it: of each attribute its name, the values removed and the values added; of members of a list also which
 * rows the removed ones had. `newDn` after a rename.
 */
export type JsonChange = {
  readonly newDn?: string;
  readonly attributes: readonly (readonly [string, JsonValues, JsonValues, (readonly number[])?])[];
};

const COLUMNS = 'dit_change (revision, tenant, kind, uuid, dn, author, change, at)';
const INSERT =
  `INSERT INTO ${COLUMNS} VALUES (?, ?, ?, ?, ?, ?, ?, ` +
  'max(?, coalesce((SELECT at FROM dit_change ORDER BY revision DESC LIMIT 1), 0)))';
const TAKE_OVER = `INSERT OR IGNORE INTO ${COLUMNS} VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;
const AFTER = 'SELECT revision, at, dn, author FROM dit_change WHERE revision > ? ORDER BY revision LIMIT +?';
const PRUNE =
  'DELETE FROM dit_change WHERE revision IN (SELECT revision FROM dit_change WHERE (at < ? OR revision <= ?) AND ' +
  'revision < (SELECT max(revision) FROM dit_change) ORDER BY revision LIMIT +?)';

/** Writes the row. Its time never lies before the last one's. */
export function logChange(
  tx: Transaction,
  kind: DirectoryChange['kind'],
  revision: Revision,
  entry: Entry,
  differences: readonly AttributeDifference[],
  { author, now, revision: other, newDn, places }: LogOptions,
): Promise<void> {
  const change = changeJson(differences, { newDn, places });
  return writeChange(tx, { kind, revision, entry, change, author, now }, other === undefined ? INSERT : TAKE_OVER);
}

/** As the row holds it. */
export function changeJson(
  differences: readonly AttributeDifference[],
  { newDn, places }: { readonly newDn?: string | undefined; readonly places?: RemovedPlaces | undefined } = {},
): string {
  const change: JsonChange = {
    ...(newDn === undefined ? {} : { newDn }),
    attributes: differences.map((difference) => {
      const { description, removed, added } = difference;
      if (description.type.isSecret) return [description.name, [], []];
      const rows = places?.get(difference);
      const values = [description.name, encodeValues(removed), encodeValues(added)] as const;
      return rows === undefined ? values : [...values, rows];
    }),
  };
  return JSON.stringify(change);
}

interface ChangeRow {
  readonly kind: DirectoryChange['kind'];
  readonly revision: Revision;
  readonly entry: Entry;
  /** Of changeJson. */
  readonly change: string;
  readonly author: string;
  readonly now: number;
}

export async function writeChange(
  tx: Transaction,
  { kind, revision, entry, change, author, now }: ChangeRow,
  insert = INSERT,
): Promise<void> {
  await tx.run(insert, revision, TENANT, kind, entry.uuid, entry.dn, author, change, now);
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

/** The oldest revision that the log still has. */
export function oldestChange(reader: Reader): Revision | undefined {
  const row = reader.arrays('SELECT min(revision) FROM dit_change')[0];
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

/** A change of one entry, as it was made. */
export interface LoggedChange {
  readonly revision: Revision;
  readonly kind: DirectoryChange['kind'];
  /** As it was before. */
  readonly dn: string;
  readonly attributes: readonly {
    readonly name: string;
    readonly removed: readonly AttributeValue[];
    readonly added: readonly AttributeValue[];
    /** Of members that were removed, their rows; empty where that is not known. */
    readonly places: readonly number[];
  }[];
}

/** A change with all that the log has of it. */
export interface WholeChange extends AuditedChange {
  readonly kind: DirectoryChange['kind'];
  readonly uuid: string;
  /** After a rename. */
  readonly newDn: string | undefined;
  readonly attributes: readonly Omit<LoggedChange['attributes'][number], 'places'>[];
}

const WHOLE_AFTER =
  'SELECT revision, at, dn, author, kind, uuid, change FROM dit_change WHERE revision > ? ORDER BY revision LIMIT +?';
export function wholeChangesAfter(reader: Reader, revision: Revision, count: number): WholeChange[] {
  return reader.arrays(WHOLE_AFTER, revision, count).map(([number, at, dn, author, kind, uuid, json]) => {
    const change = JSON.parse(json as string) as JsonChange;
    return {
      revision: idOf<Revision>(number),
      at: Number(at),
      dn: String(dn),
      author: String(author),
      kind: kind as DirectoryChange['kind'],
      uuid: String(uuid),
      newDn: change.newDn,
      attributes: change.attributes.map(([name, removed, added]) => ({
        name,
        removed: decodeValues(removed),
        added: decodeValues(added),
      })),
    };
  });
}

const RENAMED_SINCE = "SELECT 1 FROM dit_change WHERE uuid = ? AND revision > ? AND kind = 'rename' LIMIT 1";

/** Whether this entry has got another name behind this revision. */
export function wasRenamedSince(reader: Reader, uuid: string, revision: Revision): boolean {
  return reader.arrays(RENAMED_SINCE, uuid, revision).length > 0;
}

const OF_ENTRY =
  'SELECT revision, kind, dn, change FROM dit_change WHERE revision > ? AND uuid = ? ORDER BY revision DESC';
const OF_ENTRY_BEFORE =
  'SELECT revision, kind, dn, change FROM dit_change WHERE revision > ? AND uuid = ? AND revision < ? ' +
  'ORDER BY revision DESC LIMIT +?';

/** The changes of an entry behind this revision, the newest first. */
export function changesOf(reader: Reader, uuid: string, revision: Revision): LoggedChange[] {
  return loggedChanges(reader.arrays(OF_ENTRY, revision, uuid));
}

/** So many of them at most: of those before another revision the newest. */
export function changesBefore(
  reader: Reader,
  { uuid, after, before }: { readonly uuid: string; readonly after: Revision; readonly before: number },
  count: number,
): LoggedChange[] {
  return loggedChanges(reader.arrays(OF_ENTRY_BEFORE, after, uuid, before, count));
}

function loggedChanges(rows: readonly Value[][]): LoggedChange[] {
  return rows.map(([number, kind, dn, change]) => ({
    revision: idOf<Revision>(number),
    kind: kind as DirectoryChange['kind'],
    dn: dn as string,
    attributes: (JSON.parse(change as string) as JsonChange).attributes.map(([name, removed, added, places = []]) => ({
      name,
      removed: decodeValues(removed),
      added: decodeValues(added),
      places,
    })),
  }));
}

/** A change of an entry, in a word of which a line can be made. */
export interface HistoryEvent {
  readonly revision: Revision;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly kind: DirectoryChange['kind'];
  /** Of the attributes that it moved. */
  readonly names: readonly string[];
  /** What the server has written as the domain's state. */
  readonly state?: string;
}

const HISTORY = `SELECT revision, at, kind, change FROM dit_change WHERE uuid = ?
  ORDER BY revision DESC LIMIT +?`;

/** The latest first. */
export function historyOf(reader: Reader, uuid: string, limit: number): HistoryEvent[] {
  return reader.arrays(HISTORY, uuid, limit).map(([revision, at, kind, change]) => {
    const { attributes } = JSON.parse(change as string) as JsonChange;
    const state = attributes.find(([name]) => name === 'waypostDomainState')?.[2][0];
    return {
      revision: idOf<Revision>(revision),
      at: Number(at),
      kind: kind as DirectoryChange['kind'],
      names: attributes.map(([name]) => name),
      ...(typeof state === 'string' ? { state } : {}),
    };
  });
}

const MENTIONING = `SELECT DISTINCT uuid FROM dit_change WHERE revision > ? AND instr(lower(change), lower(?)) > 0
  LIMIT +?`;

/** UUIDs of entries whose changes behind this revision hold this text. */
export function changedMentioning(reader: Reader, text: string, revision: Revision, limit: number): string[] {
  return reader.arrays(MENTIONING, revision, text, limit).map(([uuid]) => uuid as string);
}

/** What a change did to which entry, without what was changed. */
export interface LogStep {
  readonly revision: Revision;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly kind: DirectoryChange['kind'];
  readonly uuid: string;
  /** As it was before; of an entry that was added, its name. */
  readonly dn: string;
}

const STEPS = 'SELECT revision, at, kind, uuid, dn FROM dit_change WHERE revision > ? ORDER BY revision LIMIT +?';

/** The next ones behind this revision, the oldest first. */
export function stepsAfter(reader: Reader, revision: Revision, count: number): LogStep[] {
  return reader.arrays(STEPS, revision, count).map(([number, at, kind, uuid, dn]) => ({
    revision: idOf<Revision>(number),
    at: at as number,
    kind: kind as DirectoryChange['kind'],
    uuid: uuid as string,
    dn: dn as string,
  }));
}

/** The last revision at this time, undefined where the log begins later. Epoch milliseconds. */
export function revisionAt(reader: Reader, at: number): Revision | undefined {
  const row = reader.arrays('SELECT revision FROM dit_change WHERE at <= ? ORDER BY revision DESC LIMIT 1', at)[0];
  return row === undefined ? undefined : idOf(row[0]);
}

const LOGGED_AT = 'SELECT at FROM dit_change WHERE revision = ?';
const NEWEST = 'SELECT revision, at FROM dit_change ORDER BY revision DESC LIMIT 1';

/** When exactly this revision was made, where the log still has it. Epoch milliseconds. */
export function loggedAt(reader: Reader, revision: Revision): number | undefined {
  return reader.arrays(LOGGED_AT, revision)[0]?.[0] as number | undefined;
}

export async function loggedAtIn(tx: Transaction, revision: Revision): Promise<number | undefined> {
  return (await tx.arrays(LOGGED_AT, revision))[0]?.[0] as number | undefined;
}

/** The newest row. */
export function newestChange(reader: Reader): { readonly revision: Revision; readonly at: number } | undefined {
  const row = reader.arrays(NEWEST)[0];
  return row && { revision: idOf(row[0]!), at: row[1] as number };
}

/** When this revision, or the next one that the log has, was made. Epoch milliseconds. */
export function timeOfRevision(reader: Reader, revision: Revision): number | undefined {
  const row = reader.arrays('SELECT at FROM dit_change WHERE revision >= ? ORDER BY revision LIMIT 1', revision)[0];
  return row === undefined ? undefined : Number(row[0]);
}
