// Add. RFC 4511 §4.7

import type { AddRequest } from '../../../wire/ldap/operations/add.ts';
import { result } from '../../../wire/ldap/result.ts';
import type { LdapHandler } from '../conversation.ts';

export const add: LdapHandler<AddRequest> = async ({ dn, attributes }, _operation, session) => {
  await session.change({ kind: 'add', dn, attributes });
  return { result: result('success') };
};
