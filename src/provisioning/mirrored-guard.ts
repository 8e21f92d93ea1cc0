// Changes of mirrored entries at our doors: they are made at the source, which is said with its URL.
//
// In      a change as it is asked for, before it is made
// Out     nothing; or `referral`, as `denied` for doors that know none
// Rules   our operational attributes (tokens, rules) are written here. Where the source's entry is gone, what was mirrored is
//         ours and changes like any other

import { Failure } from '../base/failure.ts';
import type { Transaction } from '../database/operation.ts';
import { parentOf, parseDn } from '../directory/dn.ts';
import { findEntryIn, nearestEntryIn } from '../directory/entries.ts';
import type { DirectoryChange, Entry } from '../directory/entry.ts';
import { schema } from '../directory/schema.ts';
import { ldapSourceDn, ldapSourceOf } from './ldap-source.ts';

export async function checkNotMirrored(tx: Transaction, change: DirectoryChange): Promise<void> {
  if (change.kind === 'modify' && change.modifications.every(({ attribute }) => isOurs(attribute))) return;
  const entry = await ownerOf(tx, change);
  if (entry?.source === undefined) return;
  const found = await findEntryIn(tx, ldapSourceDn(entry.source));
  const source = found && ldapSourceOf(found);
  if (source === undefined) return;
  const url = source.urls[0] ?? '';
  throw new Failure('denied', `${entry.dn} is mirrored from ${source.name}: change it at ${url}`, {
    ldap: { name: 'referral', matchedDn: entry.dn, referral: [`${url}/${encodeURI(change.dn)}`] },
  });
}

/** The mirrored entry that a change is about: itself, or what it would stand below. */
async function ownerOf(tx: Transaction, change: DirectoryChange): Promise<Entry | undefined> {
  const dn = parseDn(change.dn);
  if (change.kind === 'add') {
    const above = parentOf(dn);
    return above && nearestEntryIn(tx, above);
  }
  const entry = await findEntryIn(tx, dn);
  if (entry?.source !== undefined || change.kind !== 'rename' || change.newSuperior === undefined) return entry;
  return nearestEntryIn(tx, parseDn(change.newSuperior));
}

function isOurs(attribute: string): boolean {
  const type = schema().description(attribute)?.type;
  return type !== undefined && (type.usage !== 'userApplications' || type.isMade);
}
