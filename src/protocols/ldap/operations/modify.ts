// Modify. RFC 4511 §4.6

import type { ModifyRequest } from '../../../wire/ldap/operations/modify.ts';
import type { LdapResult } from '../../../wire/ldap/result.ts';
import type { LdapSession } from '../session.ts';
import { change } from './change.ts';

export function modify(session: LdapSession, { dn, modifications }: ModifyRequest): Promise<LdapResult> {
  return change(session, { kind: 'modify', dn, modifications });
}
