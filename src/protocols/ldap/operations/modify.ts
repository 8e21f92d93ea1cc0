// Modify. RFC 4511 §4.6

import type { ModifyRequest } from '../../../wire/ldap/operations/modify.ts';
import { changed } from '../change-request.ts';
import type { LdapHandler } from '../conversation.ts';

export const modify: LdapHandler<ModifyRequest> = ({ dn, modifications }, operation, session) =>
  changed({ kind: 'modify', dn, modifications }, operation, session);
