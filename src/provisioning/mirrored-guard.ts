// Changes of mirrored entries at our doors: they are made at the source, which is said with its URL.
//
// In      a change as it is asked for, before it is made
// Out     nothing; or `referral`, as `denied` for doors that know none
// Rules   our operational attributes (tokens, rules) are written here. Where the source's entry is gone, what was mirrored is
//         ours and changes like any other

import { Failure } from '../base/failure.ts';
import type { Transaction } from '../database/operation.ts';
import { isAtOrBelow, parentOf, parseDn } from '../directory/dn.ts';
import { childrenIn, findEntryIn, nearestEntryIn } from '../directory/entries.ts';
import type { DirectoryChange, Entry } from '../directory/entry.ts';
import { schema } from '../directory/schema.ts';
import { containerDn } from '../routing/containers.ts';
import { type LdapSource, ldapSourceDn, ldapSourceOf } from './ldap-source.ts';

const SOURCES_MAX = 1000;

export async function checkNotMirrored(tx: Transaction, change: DirectoryChange): Promise<void> {
  if (writesOnlyOurs(change)) return;
  const entry = await ownerOf(tx, change);
  const source = entry === undefined ? await sourceOver(tx, change.dn) : await sourceNamedIn(tx, entry.source);
  if (source === undefined) return;
  const url = source.urls[0] ?? '';
  const dn = entry?.dn ?? source.base;
  throw new Failure('denied', `${dn} is mirrored from ${source.name}: change it at ${url}`, {
    ldap: { name: 'referral', matchedDn: dn, referral: [`${url}/${encodeURI(change.dn)}`] },
  });
}

/** Whoever's the entry is. */
export function writesOnlyOurs(change: DirectoryChange): boolean {
  return change.kind === 'modify' && change.modifications.every(({ attribute }) => isOurs(attribute));
}

async function sourceNamedIn(tx: Transaction, name: string | undefined): Promise<LdapSource | undefined> {
  const found = name === undefined ? undefined : await findEntryIn(tx, ldapSourceDn(name));
  return found && ldapSourceOf(found);
}

/** Of a cache only those are here whom somebody has asked for: what is not here may be theirs all the same. */
async function sourceOver(tx: Transaction, dn: string): Promise<LdapSource | undefined> {
  const name = parseDn(dn);
  const container = await findEntryIn(tx, containerDn('sources'));
  for (const entry of container === undefined ? [] : await childrenIn(tx, container.id, SOURCES_MAX)) {
    const source = ldapSourceOf(entry);
    if (source !== undefined && isAtOrBelow(name, parseDn(source.base))) return source;
  }
  return undefined;
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

/** Also in an entry of a source. */
export function isOurs(attribute: string): boolean {
  const type = schema().description(attribute)?.type;
  return type !== undefined && (type.usage !== 'userApplications' || type.isMade);
}
