// An account whose password has no keys for SCRAM, or a hash of another time, gets those of today when it logs in with the
// password in the clear.
//
// In      the stored values that the password was right for, and what is to stand there
// Out     whether it stands there: not where the values have changed meanwhile, nor where the entry is another directory's
// Sessions go on: it is the same password

import type { LearnedPassword } from '../auth/password-learner.ts';
import { operation } from '../database/operation.ts';
import { SERVER } from '../directory/caller.ts';
import { entryByUuidIn } from '../directory/entries.ts';
import { sameValues } from '../directory/scram-values.ts';
import { applyAll } from './change.ts';
import { passwordsOf } from './guards.ts';
import { ANY_SITE } from './write-options.ts';

export interface LearnPasswordArguments extends LearnedPassword {
  /** Epoch milliseconds. */
  readonly now: number;
}

export const learnPassword = operation(
  'provisioning.learn-password',
  async (tx, { uuid, seen, values, now }: LearnPasswordArguments): Promise<boolean> => {
    const entry = await entryByUuidIn(tx, uuid);
    if (entry === undefined || entry.source !== undefined || !sameValues(passwordsOf(entry), seen)) return false;
    // Where the change is handed on to another server, the values may be others there by now.
    const modifications = [
      { operation: 'delete' as const, attribute: 'userPassword', values: seen },
      { operation: 'add' as const, attribute: 'userPassword', values },
    ];
    const change = { kind: 'modify' as const, dn: entry.dn, modifications };
    await applyAll(tx, [change], SERVER, { now, site: ANY_SITE, samePassword: true });
    return true;
  },
);
