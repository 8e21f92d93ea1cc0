// How an operation ended, as the response of its request's kind.

import type { LdapMessage, LdapResponse, RequestKind } from '../../wire/ldap/message.ts';
import type { LdapFinal } from './conversation.ts';

/** Undefined for requests that have no response. */
export function finalResponse(
  messageId: number,
  kind: RequestKind,
  final: LdapFinal,
): LdapMessage<LdapResponse> | undefined {
  const operation = responseTo(kind, final);
  return operation && { messageId, operation, controls: final.controls ?? [] };
}

function responseTo(
  kind: RequestKind,
  { result, serverCredentials, name, value }: LdapFinal,
): LdapResponse | undefined {
  switch (kind) {
    case 'unbind':
    case 'abandon':
      return undefined;
    case 'bind':
      return { kind: 'bindResponse', result, serverCredentials };
    case 'extended':
      return { kind: 'extendedResponse', result, name, value };
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
