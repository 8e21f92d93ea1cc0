// Entries that do not fit the schema: what came in before it was checked, or from another directory.
//
// In      the whole directory at first, a page a turn; later only the entries that have changed since, by the change log
// Out     how many they are, and the first of them by DN
// Limits  REMEMBERED entries that do not fit, and CHANGES_MAX changes: beyond either all are looked at again

import type { Revision } from '../base/ids.ts';
import type { Reader } from '../database/operation.ts';
import { type Breach, breachesOf, memberBreach } from './check-entry.ts';
import { entriesAfter, entryByUuid } from './entries.ts';
import type { Entry } from './entry.ts';
import { unusableMembers } from './member-values.ts';
import { type Schema, schema } from './schema.ts';

export interface UnfitEntry {
  readonly dn: string;
  readonly problems: readonly { readonly attribute: string; readonly reason: string }[];
}

export interface UnfitEntries {
  /** Of the directory. */
  readonly revision: Revision;
  /** How many were looked at: all of that revision. */
  readonly entries: number;
  readonly unfit: number;
  /** At most NAMED of them. */
  readonly named: readonly UnfitEntry[];
}

const PAGE = 500;
const NAMED = 1000;
const MEMBERS_NAMED = 10;
const REMEMBERED = 100_000;
const CHANGES_MAX = 10_000;

const SINCE = 'SELECT revision, uuid FROM dit_change WHERE revision > ? ORDER BY revision LIMIT +?';
const OLDEST = 'SELECT min(revision) FROM dit_change';
const COUNT = 'SELECT count(*) FROM dit';

interface Known {
  readonly schema: Schema;
  revision: Revision;
  /** By UUID. */
  readonly unfit: Map<string, UnfitEntry>;
}

/** What has been found so far, by the connection that reads. */
const known = new WeakMap<Reader, Known>();

export async function unfitEntries(reader: Reader): Promise<UnfitEntries> {
  const remembered = known.get(reader);
  const found =
    remembered !== undefined && remembered.schema === schema() && followed(reader, remembered)
      ? remembered
      : await walked(reader);
  if (found.unfit.size <= REMEMBERED) known.set(reader, found);
  else known.delete(reader);
  const named = [...found.unfit.values()].sort((a, b) => (a.dn < b.dn ? -1 : 1)).slice(0, NAMED);
  const entries = Number(reader.arrays(COUNT)[0]![0]);
  return { revision: found.revision, entries, unfit: found.unfit.size, named };
}

async function walked(reader: Reader): Promise<Known> {
  const found: Known = { schema: schema(), revision: reader.revision(), unfit: new Map() };
  for (let after = 0; ; ) {
    const page = entriesAfter(reader, after, PAGE);
    for (const entry of page) note(reader, found, entry);
    if (page.length < PAGE) break;
    after = page.at(-1)!.id;
    await new Promise((turn) => setImmediate(turn));
  }
  // What has changed on the way is looked at next time.
  return found;
}

/** False where the log does not reach back, or where so much has changed that a walk is as quick. */
function followed(reader: Reader, found: Known): boolean {
  const revision = reader.revision();
  if (revision === found.revision) return true;
  const oldest = reader.arrays(OLDEST)[0]?.[0];
  if (oldest === null || oldest === undefined || Number(oldest) > found.revision + 1) return false;
  const changes = reader.arrays(SINCE, found.revision, CHANGES_MAX + 1);
  if (changes.length > CHANGES_MAX) return false;
  for (const uuid of new Set(changes.map(([, changed]) => String(changed))))
    note(reader, found, entryByUuid(reader, uuid) ?? { uuid });
  found.revision = revision;
  return true;
}

/** An entry, or the UUID of one that is gone. */
function note(reader: Reader, found: Known, entry: Entry | Pick<Entry, 'uuid'>): void {
  const breaches = 'dn' in entry ? [...breachesOf(entry), ...unusable(reader, entry)] : [];
  if (!('dn' in entry) || breaches.length === 0) found.unfit.delete(entry.uuid);
  else {
    const problems = breaches.map(({ attribute, text }) => ({ attribute, reason: text }));
    found.unfit.set(entry.uuid, { dn: entry.dn, problems });
  }
}

/** The first members that mail can do nothing with. */
function unusable(reader: Reader, { id, memberCounts }: Entry): Breach[] {
  if (memberCounts === undefined) return [];
  return unusableMembers(reader, id, MEMBERS_NAMED).flatMap(
    ({ attribute, value }) => memberBreach(attribute, value) ?? [],
  );
}
