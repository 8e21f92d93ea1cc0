// Add. RFC 4511 §4.7

import type { AddRequest } from '../../../wire/ldap/operations/add.ts';
import type { LdapResult } from '../../../wire/ldap/result.ts';
import type { LdapSession } from '../session.ts';
import { change } from './change.ts';

export function add(session: LdapSession, { dn, attributes }: AddRequest): Promise<LdapResult> {
  return change(session, { kind: 'add', dn, attributes });
}
