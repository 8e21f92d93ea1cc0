// What stands below an entry that has got another name gets another name with it: each is a rename of its own in the log.
//
// In      the entry as it was and as it is, in the transaction that renames it
// Out     the entries below, as they were and as they are, each behind its superior; their attributes are the same
// Limits  SUBTREE_MAX entries with the one that is renamed, SUBTREE_LENGTH_MAX characters of attributes: adminLimitExceeded
// Errors  unwillingToPerform where one of them is another directory's
// Never   touches members of lists, or the index: both go by an entry's id
// RFC 4511 §4.9

import { TENANT } from '../base/tenant.ts';
import type { Transaction } from '../database/operation.ts';
import { logChange } from './change-log.ts';
import { type Dn, parseDn } from './dn.ts';
import { entriesBelowIn } from './entries.ts';
import type { ChangedEntry, Entry } from './entry.ts';
import { directoryFailure } from './failure.ts';

/** Entries that one change moves or deletes. */
export const SUBTREE_MAX = 10_000;
/** They are held until the tables of others have followed. */
const SUBTREE_LENGTH_MAX = 256 * 1024 * 1024;
const PAGE = 500;

const SIZE =
  'SELECT count(*), total(length(attributes)) FROM (SELECT attributes FROM dit WHERE tenant = ? AND path >= ? ' +
  'AND path < ? LIMIT +?)';
const MOVE = 'UPDATE dit SET path = ?, dn = ?, revision = ?, modified_at = ?, modified_by = ? WHERE id = ?';

interface MoveOptions {
  readonly author: string;
  readonly now: number;
}

/** Throws `adminLimitExceeded` where the entry and what is below it are more than one change may move. */
export async function checkSubtreeSize(tx: Transaction, base: Dn): Promise<void> {
  const above = `${base.path.slice(0, -1)}-`;
  const [row] = await tx.arrays(SIZE, TENANT, base.path, above, SUBTREE_MAX + 1);
  const [count, length] = row as [number, number];
  if (count > SUBTREE_MAX) throw tooManyBelow();
  if (length > SUBTREE_LENGTH_MAX) throw directoryFailure('adminLimitExceeded', 'The entries are too large together');
}

export function tooManyBelow(): Error {
  return directoryFailure('adminLimitExceeded', `There are more than ${SUBTREE_MAX} entries`);
}

/** The entry's name below another superior, or below its superior's other name. Throws where it would be too long. */
export function movedDn(entry: Entry, from: Entry, to: string): Dn {
  return parseDn(`${entry.dn.slice(0, -from.dn.length)}${to}`);
}

/** `after` is written already. */
export async function moveBelow(
  tx: Transaction,
  before: Entry,
  after: Entry,
  { author, now }: MoveOptions,
): Promise<ChangedEntry[]> {
  const moved: ChangedEntry[] = [];
  for (const entry of await entriesFrom(tx, before, after.id)) {
    if (entry.source !== undefined)
      throw directoryFailure('unwillingToPerform', `${entry.dn} is moved where it comes from: ${entry.source}`);
    const dn = movedDn(entry, before, after.dn);
    const { modifiedBy: _, ...kept } = entry;
    const revision = await tx.nextRevision();
    const named = { dn: dn.text, normalizedDn: dn.normalized, revision, modifiedAt: now };
    await tx.run(MOVE, dn.path, dn.text, revision, now, author, entry.id);
    await logChange(tx, 'rename', revision, entry, [], { author, now, newDn: dn.text });
    const is: Entry = { ...kept, ...named, ...(author === '' ? {} : { modifiedBy: author }) };
    moved.push({ kind: 'rename', revision, before: entry, after: is, movesMembers: false });
  }
  return moved;
}

/** Those below the old name, superiors first. */
async function entriesFrom(tx: Transaction, { dn }: Entry, own: number): Promise<Entry[]> {
  const found: Entry[] = [];
  for (let after: string | undefined; ; ) {
    const { entries, last } = await entriesBelowIn(tx, parseDn(dn), after, PAGE);
    for (const entry of entries) if (entry.id !== own) found.push(entry);
    if (last === undefined) return found;
    after = last;
  }
}
