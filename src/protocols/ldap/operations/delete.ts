// Delete: of a leaf, or with its control of all that is below, too. RFC 4511 §4.8

import type { DeleteRequest } from '../../../wire/ldap/operations/delete.ts';
import { changed } from '../change-request.ts';
import type { LdapHandler } from '../conversation.ts';

export const deleteEntry: LdapHandler<DeleteRequest> = ({ dn }, operation, session) =>
  changed({ kind: 'delete', dn }, operation, session);
