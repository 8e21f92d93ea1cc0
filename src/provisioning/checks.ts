// What no change may make, asked of each entry that a change has made, changed or removed: the first objection undoes it all.
//
// In      an entry before and after, in the transaction; entries made along with it come by themselves
// Out     nothing; or a Failure with the LDAP result and the value in its text
// One line a check; what needs a folder further down comes in as a guard (ChangeGuard).

import type { Awaitable, Transaction } from '../database/operation.ts';
import type { ChangedEntry } from '../directory/entry.ts';
import { checkAci } from './aci-check.ts';
import { checkKey } from './dkim/key-check.ts';
import { checkMade } from './guards.ts';
import { checkLdapSource } from './ldap-source.ts';
import { checkNameServer } from './name-server-check.ts';
import { checkPolicy } from './policy-check.ts';
import { checkRules } from './rule-guard.ts';
import { checkServerName } from './server-names.ts';
import { checkSiteRecords } from './site-records.ts';

export type EntryCheck = (tx: Transaction, changed: ChangedEntry) => Awaitable<void>;

export const checks: readonly EntryCheck[] = [
  checkAci,
  checkKey,
  checkLdapSource,
  checkServerName,
  checkMade,
  checkNameServer,
  checkPolicy,
  checkRules,
  checkSiteRecords,
];
