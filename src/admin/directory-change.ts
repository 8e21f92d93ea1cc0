// directory change: the changes of an LDIF text, all of them in one commit or none.

import { z } from 'zod';
import { parseLdif } from '../directory/ldif.ts';
import { submitChange } from '../provisioning/submit.ts';
import { type Changed, changedOf } from './changed.ts';
import { dryRun, type EntryParts } from './entries.ts';
import { adminOperation } from './operation.ts';

const CHANGES_MAX = 1000;
const LDIF_MAX = 16 * 1024 * 1024;

export const directoryChange = (parts: EntryParts) =>
  adminOperation(
    'directory.change',
    z.strictObject({ ldif: z.string().max(LDIF_MAX), dryRun }),
    async ({ ldif, dryRun = false }, caller, peer): Promise<Changed> => {
      const changes = parseLdif(ldif, CHANGES_MAX);
      return changedOf(await submitChange(parts, { changes, caller, peer, dryRun }), dryRun);
    },
  );
