// A mail domain that has been removed leaves a tombstone: no message brings it, or a name below it, back.
//
// In      an entry that has stopped or begun to be a mail domain, in its transaction; a name, when a message asks
// Out     `associatedDomain=NAME` below `ou=Tombstones`, made or removed along
// Rules   any removal leaves one, a rename does not: the domain goes on under another name. Whoever adds the domain, by hand
//         or by a source of domains, takes it away; a message never does. An administrator may delete it like any entry

import type { Revision } from '../base/ids.ts';
import type { Reader, Transaction } from '../database/operation.ts';
import { applyChange } from '../directory/apply-change.ts';
import { changedMentioning } from '../directory/change-log.ts';
import { normalizeDn } from '../directory/dn.ts';
import { findEntry, findEntryIn } from '../directory/entries.ts';
import { type ChangedEntry, type DirectoryChange, type Entry, hasClass } from '../directory/entry.ts';
import { mailDomainOf } from '../directory/mail-domain.ts';
import { entryAt } from '../directory/past-entry.ts';
import { containerDn } from '../routing/containers.ts';
import type { WriteOptions } from './write-options.ts';

/** Entries that are looked at for what has been there. */
const CHANGES_MAX = 10_000;

export async function noteTombstone(
  tx: Transaction,
  { kind, before, after }: ChangedEntry,
  options: WriteOptions,
): Promise<readonly ChangedEntry[]> {
  const was = before && domainOf(before);
  const is = after && domainOf(after);
  if (was === is) return [];
  const changed: ChangedEntry[] = [];
  if (is !== undefined && options.broughtBy === undefined) {
    const dn = tombstoneDn(is);
    if ((await findEntryIn(tx, dn)) !== undefined) changed.push(await applyChange(tx, { kind: 'delete', dn }, options));
  }
  if (was !== undefined && kind !== 'rename' && (await findEntryIn(tx, tombstoneDn(was))) === undefined) {
    changed.push(await applyChange(tx, tombstoneAddition(was), options));
  }
  return changed;
}

/** The nearest removed domain at or above this name, which keeps it from coming by a message. */
export function tombstoneOf(reader: Reader, domain: string): string | undefined {
  return withNamesAbove(domain).find((name) => findEntry(reader, tombstoneDn(name)) !== undefined);
}

/** The same at an earlier revision that the change log reaches. */
export function tombstoneAt(reader: Reader, domain: string, revision: Revision): string | undefined {
  return withNamesAbove(domain).find((name) => {
    const dn = tombstoneDn(name);
    const today = findEntry(reader, dn);
    // An entry's id is the revision that made it.
    if (today !== undefined && today.id <= revision) return true;
    const moved = changedMentioning(reader, name, revision, CHANGES_MAX);
    return moved.some((uuid) => entryAt(reader, uuid, revision)?.normalizedDn === normalizeDn(dn));
  });
}

export async function tombstoneOfIn(tx: Transaction, domain: string): Promise<string | undefined> {
  for (const name of withNamesAbove(domain)) if ((await findEntryIn(tx, tombstoneDn(name))) !== undefined) return name;
  return undefined;
}

function domainOf(entry: Entry): string | undefined {
  return hasClass(entry, 'maildomain') ? mailDomainOf(entry) : undefined;
}

/** The domain is one that no message brings. */
export function tombstoneAddition(domain: string): DirectoryChange {
  const attributes = [
    { name: 'objectClass', values: ['waypostTombstone'] },
    { name: 'associatedDomain', values: [domain] },
  ];
  return { kind: 'add', dn: tombstoneDn(domain), attributes };
}

/** A valid domain has no character that a DN would escape. */
export function tombstoneDn(domain: string): string {
  return `associatedDomain=${domain},${containerDn('tombstones')}`;
}

function withNamesAbove(domain: string): string[] {
  const labels = domain.split('.');
  return labels.map((_, at) => labels.slice(at).join('.'));
}
