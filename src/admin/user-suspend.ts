// user suspend: nothing more goes out from this user, say because somebody has the password; --undo lets it go on.
//
// Out     the entry's attribute; sessions end and the user's mail in the queue is held by that

import { z } from 'zod';
import type { Changed } from './changed.ts';
import { addressInput, dryRun, type EntryParts, entryOfAddress, submitForCommand } from './entries.ts';
import { mailAddressOf } from './naming.ts';
import { adminOperation, forDomains } from './operation.ts';

export const userSuspend = (parts: EntryParts) =>
  forDomains(
    adminOperation(
      'user.suspend',
      z.strictObject({ address: addressInput, undo: z.boolean().optional(), dryRun }),
      (input, caller, peer): Promise<Changed> => {
        const { dn } = entryOfAddress(parts, mailAddressOf(input.address), 'user');
        const values = input.undo === true ? [] : ['suspended'];
        const modifications = [{ operation: 'replace', attribute: 'waypostSubmitStatus', values }] as const;
        return submitForCommand(parts, { kind: 'modify', dn, modifications }, { caller, peer, dryRun: input.dryRun });
      },
    ),
    ({ address: of }) => [of],
  );
