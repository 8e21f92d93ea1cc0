// Modify. RFC 4511 §4.6

import type { ModifyRequest } from '../../../wire/ldap/operations/modify.ts';
import { result } from '../../../wire/ldap/result.ts';
import type { LdapHandler } from '../conversation.ts';

export const modify: LdapHandler<ModifyRequest> = async ({ dn, modifications }, _operation, session) => {
  await session.change({ kind: 'modify', dn, modifications });
  return { result: result('success') };
};
