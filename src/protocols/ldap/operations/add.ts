// Add. RFC 4511 §4.7

import type { AddRequest } from '../../../wire/ldap/operations/add.ts';
import { changed } from '../change-request.ts';
import type { LdapHandler } from '../conversation.ts';

export const add: LdapHandler<AddRequest> = ({ dn, attributes }, operation, session) =>
  changed({ kind: 'add', dn, attributes }, operation, session);
