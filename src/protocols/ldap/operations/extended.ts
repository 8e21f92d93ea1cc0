// Extended operations: one line each, one file each in extended/.
//
// RFC 4511 §4.12

import { ASK_SOURCE } from '../../../wire/ldap/extended/ask-source.ts';
import { CANCEL } from '../../../wire/ldap/extended/cancel.ts';
import { CHANGE_LIST } from '../../../wire/ldap/extended/change-list.ts';
import { PASSWORD_MODIFY } from '../../../wire/ldap/extended/password-modify.ts';
import { WHO_AM_I } from '../../../wire/ldap/extended/who-am-i.ts';
import { type ExtendedRequest, START_TLS } from '../../../wire/ldap/operations/extended.ts';
import { result } from '../../../wire/ldap/result.ts';
import type { LdapConversation, LdapHandler } from '../conversation.ts';
import { askSource } from '../extended/ask-source.ts';
import { cancel } from '../extended/cancel.ts';
import { changeList } from '../extended/change-list.ts';
import { passwordModify } from '../extended/password-modify.ts';
import { startTlsRequest } from '../extended/start-tls.ts';
import { whoAmI } from '../extended/who-am-i.ts';

const HANDLERS: ReadonlyMap<string, LdapHandler<ExtendedRequest>> = new Map([
  [ASK_SOURCE, askSource],
  [CANCEL, cancel],
  [CHANGE_LIST, changeList],
  [PASSWORD_MODIFY, passwordModify],
  [START_TLS, startTlsRequest],
  [WHO_AM_I, whoAmI],
]);

/** What this connection is offered. */
export function extensionsOf({ door, record }: LdapConversation): readonly string[] {
  const offersTls = door.tls !== undefined && record.tls === undefined;
  return [...HANDLERS.keys()].filter((name) => name !== START_TLS || offersTls);
}

export const extended: LdapHandler<ExtendedRequest> = async (request, operation, session) => {
  const handler = request.name === START_TLS && session.door.tls === undefined ? undefined : HANDLERS.get(request.name);
  if (handler !== undefined) return handler(request, operation, session);
  return { result: result('protocolError', `Extended operation ${request.name} is not supported`) };
};
