// This host's names, where the transactions know them: which users are here depends on them.

import { setDerivedVersion } from '../database/derived.ts';
import { operation } from '../database/operation.ts';
import { setHere } from './generation.ts';
import type { Here } from './here.ts';

/** At each start, before rows are compiled anew: those made for other names count as no version's. */
export const nameHost = operation('routing.name-host', async (tx, here: Here): Promise<void> => {
  if (await setHere(tx, here)) await setDerivedVersion(tx, 'routing', 0);
});
