// Is this caller another server of the directory: an entry of a host below `ou=Hosts`, by the role `cn=server`.

import type { Reader } from '../../database/operation.ts';
import type { Caller } from '../caller.ts';
import { normalizeDn } from '../dn.ts';
import { planFor } from './plan.ts';
import { hostsDn } from './roles.ts';

export function isServer(reader: Reader, caller: Caller): boolean {
  if (caller.kind !== 'entry') return false;
  // Of nearly all callers the name says it: nothing is read.
  return normalizeDn(caller.dn).endsWith(`,${hostsDn()}`) && planFor(reader, caller).caller.isServer;
}
