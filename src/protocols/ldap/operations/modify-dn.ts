// Modify DN, of a leaf. RFC 4511 §4.9

import type { ModifyDnRequest } from '../../../wire/ldap/operations/modify-dn.ts';
import { result } from '../../../wire/ldap/result.ts';
import type { LdapHandler } from '../conversation.ts';

export const modifyDn: LdapHandler<ModifyDnRequest> = async (request, _operation, session) => {
  const { dn, newRdn, deleteOldRdn, newSuperior } = request;
  await session.change({ kind: 'rename', dn, newRdn, deleteOldRdn, newSuperior });
  return { result: result('success') };
};
