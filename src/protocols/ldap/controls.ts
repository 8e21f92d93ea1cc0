// Which controls this server carries out.
//
// ManageDsaIT asks to see referrals as entries; there are no referrals here, so it is carried out by doing nothing.
// RFC 4511 §4.1.11, RFC 3296 §3

import type { Control } from '../../wire/ldap/controls.ts';
import type { RequestKind } from '../../wire/ldap/message.ts';
import { type LdapResult, result } from '../../wire/ldap/result.ts';

const MANAGE_DSA_IT = '2.16.840.1.113730.3.4.2';

export const SUPPORTED_CONTROLS: readonly string[] = [MANAGE_DSA_IT];

/** The refusal of an operation that a critical control makes impossible, else undefined. Others are ignored. */
export function refuseControls(operation: RequestKind, controls: readonly Control[]): LdapResult | undefined {
  for (const { type, critical } of controls) {
    if (!critical || isCarriedOut(type, operation)) continue;
    return result('unavailableCriticalExtension', `Control ${type} is not supported with this operation`);
  }
  return undefined;
}

function isCarriedOut(type: string, operation: RequestKind): boolean {
  return type === MANAGE_DSA_IT && operation !== 'bind' && operation !== 'extended';
}
