// An account whose password has no keys for SCRAM gets them when it logs in with the password in the clear.
//
// In      the stored values that the password was right for, and keys made of it
// Out     whether they are stored: not where the values have changed meanwhile
// Sessions go on: no password has changed (directory/scram-values.ts, changesPassword)

import type { LearnedKeys } from '../auth/key-learner.ts';
import { operation } from '../database/operation.ts';
import { SERVER } from '../directory/caller.ts';
import { entryByUuidIn } from '../directory/entries.ts';
import { sameValues } from '../directory/scram-values.ts';
import { applyAll } from './change.ts';
import { ANY_SITE } from './write-options.ts';

export interface LearnKeysArguments extends LearnedKeys {
  /** Epoch milliseconds. */
  readonly now: number;
}

export const learnKeys = operation(
  'provisioning.learn-keys',
  async (tx, args: LearnKeysArguments): Promise<boolean> => {
    const entry = await entryByUuidIn(tx, args.uuid);
    const stored = entry?.attributes.get('userpassword')?.values ?? [];
    if (entry === undefined || !sameValues(stored, args.seen)) return false;
    const added = { operation: 'add' as const, attribute: 'userPassword', values: [args.keys] };
    await applyAll(tx, [{ kind: 'modify', dn: entry.dn, modifications: [added] }], SERVER, {
      now: args.now,
      site: ANY_SITE,
    });
    return true;
  },
);
