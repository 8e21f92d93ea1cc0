// Is this caller another server of the directory: an entry of a host below `ou=Hosts`, by the role `cn=server`.

import type { Reader } from '../../database/operation.ts';
import type { Caller } from '../caller.ts';
import { planFor } from './plan.ts';

export function isServer(reader: Reader, caller: Caller): boolean {
  return caller.kind === 'entry' && planFor(reader, caller).caller.isServer;
}
