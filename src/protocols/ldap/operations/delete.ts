// Delete, of a leaf. RFC 4511 §4.8

import type { DeleteRequest } from '../../../wire/ldap/operations/delete.ts';
import { result } from '../../../wire/ldap/result.ts';
import type { LdapHandler } from '../conversation.ts';

export const deleteEntry: LdapHandler<DeleteRequest> = async ({ dn }, _operation, session) => {
  await session.change({ kind: 'delete', dn });
  return { result: result('success') };
};
