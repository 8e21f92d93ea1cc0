// Modify DN, of a leaf. RFC 4511 §4.9

import type { ModifyDnRequest } from '../../../wire/ldap/operations/modify-dn.ts';
import type { LdapResult } from '../../../wire/ldap/result.ts';
import type { LdapSession } from '../session.ts';
import { change } from './change.ts';

export function modifyDn(session: LdapSession, request: ModifyDnRequest): Promise<LdapResult> {
  const { dn, newRdn, deleteOldRdn, newSuperior } = request;
  return change(session, { kind: 'rename', dn, newRdn, deleteOldRdn, newSuperior });
}
