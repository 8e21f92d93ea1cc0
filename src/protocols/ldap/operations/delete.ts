// Delete, of a leaf. RFC 4511 §4.8

import type { DeleteRequest } from '../../../wire/ldap/operations/delete.ts';
import type { LdapResult } from '../../../wire/ldap/result.ts';
import type { LdapSession } from '../session.ts';
import { change } from './change.ts';

export function deleteEntry(session: LdapSession, { dn }: DeleteRequest): Promise<LdapResult> {
  return change(session, { kind: 'delete', dn });
}
