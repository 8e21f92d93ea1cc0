// Extended operations: none is offered yet, StartTLS included.
//
// RFC 4511 §4.12 §4.14.3: one that is not supported, or TLS that is not, is protocolError

import type { ExtendedRequest } from '../../../wire/ldap/operations/extended.ts';
import { result } from '../../../wire/ldap/result.ts';
import type { LdapHandler } from '../conversation.ts';

export const extended: LdapHandler<ExtendedRequest> = async ({ name }) => ({
  result: result('protocolError', `Extended operation ${name} is not supported`),
});
