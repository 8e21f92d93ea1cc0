// Who am I: `dn:` and the name of who is bound, or of whom the operation is proxied for; nothing for anonymous. RFC 4532 §2.2

import type { ExtendedRequest } from '../../../wire/ldap/operations/extended.ts';
import { result } from '../../../wire/ldap/result.ts';
import type { LdapHandler } from '../conversation.ts';

export const whoAmI: LdapHandler<ExtendedRequest> = async ({ value }, { caller }) => {
  if (value !== undefined) return { result: result('protocolError', 'Who am I has no value') };
  const identity = 'dn' in caller ? `dn:${caller.dn}` : '';
  return { result: result('success'), value: Buffer.from(identity, 'utf8') };
};
