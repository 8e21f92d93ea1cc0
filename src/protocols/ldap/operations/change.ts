// What add, modify, modifyDN and delete have in common: may this asker do it, then one commit.
//
// Success is returned after the commit that holds the change and all that follows from it.

import { authorOf, checkChange } from '../../../directory/access.ts';
import { findEntry } from '../../../directory/entries.ts';
import type { DirectoryChange } from '../../../directory/entry.ts';
import { type LdapResult, result } from '../../../wire/ldap/result.ts';
import type { LdapSession } from '../session.ts';

export async function change({ asker, door }: LdapSession, asked: DirectoryChange): Promise<LdapResult> {
  checkChange(asker, asked, (dn) => findEntry(door.reader, dn)?.uuid);
  await door.change(asked, authorOf(asker));
  return result('success');
}
