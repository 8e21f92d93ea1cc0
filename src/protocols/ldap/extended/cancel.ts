// Cancel: an operation of this connection that only reads ends, and says that it was canceled. RFC 3909 §2
//
// A change goes on: it has been posted with those behind it. A bind and StartTLS cannot be canceled.

import { cancelRequest } from '../../../wire/ldap/extended/cancel.ts';
import type { ExtendedRequest } from '../../../wire/ldap/operations/extended.ts';
import { result } from '../../../wire/ldap/result.ts';
import type { LdapHandler } from '../conversation.ts';
import { decoded } from './value.ts';

const TEXTS = {
  noSuchOperation: 'There is no such operation under way',
  tooLate: 'The change is on its way to its commit',
  cannotCancel: 'This kind of operation cannot be canceled',
} as const;

export const cancel: LdapHandler<ExtendedRequest> = async ({ value }, _operation, session) => {
  const asked = decoded(() => cancelRequest.decode(value ?? new Uint8Array()));
  if ('refused' in asked) return { result: asked.refused };
  const outcome = session.cancel(asked.value);
  return { result: outcome === 'canceled' ? result('success') : result(outcome, TEXTS[outcome]) };
};
