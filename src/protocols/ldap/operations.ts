// A request, carried out: each kind to its file, and its result into the response of its kind.

import type { LdapMessage, LdapRequest, LdapResponse, RequestKind } from '../../wire/ldap/message.ts';
import type { LdapResult } from '../../wire/ldap/result.ts';
import { refuseControls } from './controls.ts';
import { add } from './operations/add.ts';
import { bind } from './operations/bind.ts';
import { compare } from './operations/compare.ts';
import { deleteEntry } from './operations/delete.ts';
import { extended } from './operations/extended.ts';
import { modify } from './operations/modify.ts';
import { modifyDn } from './operations/modify-dn.ts';
import { search } from './operations/search.ts';
import type { LdapSession, RunningOperation } from './session.ts';

/** Requests that have a response. */
export type AnsweredRequest = Exclude<LdapRequest, { readonly kind: 'unbind' | 'abandon' }>;

/** Throws whatever the operation fails with. */
export async function carryOut(
  session: LdapSession,
  { operation: request, controls }: LdapMessage<AnsweredRequest>,
  operation: RunningOperation,
): Promise<LdapResult> {
  const refused = refuseControls(request.kind, controls);
  if (refused !== undefined) return refused;
  switch (request.kind) {
    case 'add':
      return add(session, request);
    case 'bind':
      return bind(session, request);
    case 'compare':
      return compare(session, request);
    case 'delete':
      return deleteEntry(session, request);
    case 'extended':
      return extended(request);
    case 'modify':
      return modify(session, request);
    case 'modifyDn':
      return modifyDn(session, request);
    case 'search':
      return search(session, request, operation);
    default:
      return request satisfies never;
  }
}

/** Undefined for requests that have no response. */
export function responseTo(kind: RequestKind, result: LdapResult): LdapResponse | undefined {
  switch (kind) {
    case 'unbind':
    case 'abandon':
      return undefined;
    case 'bind':
      return { kind: 'bindResponse', result, serverCredentials: undefined };
    case 'extended':
      return { kind: 'extendedResponse', result, name: undefined, value: undefined };
    case 'search':
      return { kind: 'searchDone', result };
    case 'add':
      return { kind: 'addResponse', result };
    case 'compare':
      return { kind: 'compareResponse', result };
    case 'delete':
      return { kind: 'deleteResponse', result };
    case 'modify':
      return { kind: 'modifyResponse', result };
    case 'modifyDn':
      return { kind: 'modifyDnResponse', result };
    default:
      return kind satisfies never;
  }
}
