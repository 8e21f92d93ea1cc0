// What add, modify, modifyDN and delete have in common: one commit, which also decides whether the caller may do it.
//
// Success is returned after the commit that holds the change and all that follows from it.

import type { DirectoryChange } from '../../../directory/entry.ts';
import { type LdapResult, result } from '../../../wire/ldap/result.ts';
import type { LdapSession } from '../session.ts';

export async function change(session: LdapSession, asked: DirectoryChange): Promise<LdapResult> {
  const { caller, connection, door } = session;
  await door.change({ changes: [asked], caller, peer: connection.peerAddress });
  return result('success');
}
