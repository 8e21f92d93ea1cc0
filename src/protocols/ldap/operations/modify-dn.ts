// Modify DN, with what is below. RFC 4511 §4.9

import type { ModifyDnRequest } from '../../../wire/ldap/operations/modify-dn.ts';
import { changed } from '../change-request.ts';
import type { LdapHandler } from '../conversation.ts';

export const modifyDn: LdapHandler<ModifyDnRequest> = (request, operation, session) => {
  const { dn, newRdn, deleteOldRdn, newSuperior } = request;
  return changed({ kind: 'rename', dn, newRdn, deleteOldRdn, newSuperior }, operation, session);
};
