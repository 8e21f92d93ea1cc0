// Policies of domains that messages bring, `waypostDomainPolicy` below ou=Policies: what they may say.
//
// In      an entry as a change has made it, before its row is written; in its transaction
// Out     nothing; or 19 or 21 with the attribute and the value, 11 for one more than POLICIES_MAX

import type { Transaction } from '../database/operation.ts';
import { type ChangedEntry, hasClass } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { compilePolicy, POLICIES_MAX, policyProblems, TOO_WIDE } from '../routing/compile-policy.ts';
import { stateIn } from '../routing/generation.ts';
import { settingsIn } from '../routing/setting-rows.ts';

export async function checkPolicy(tx: Transaction, { before, after }: ChangedEntry): Promise<void> {
  if (after === undefined || !hasClass(after, 'waypostdomainpolicy')) return;
  const [problem] = policyProblems(after);
  if (problem !== undefined) {
    const { attribute, value, reason } = problem;
    const isLimit = reason.startsWith(TOO_WIDE) || attribute === 'waypostPolicyOrder';
    const name = isLimit ? 'constraintViolation' : 'invalidAttributeSyntax';
    throw directoryFailure(name, `${attribute}: ${value} ${reason}`);
  }
  const isOneMore = compilePolicy(after) !== undefined && (before === undefined || compilePolicy(before) === undefined);
  if (!isOneMore) return;
  const { generation } = await stateIn(tx);
  const policies = (await settingsIn(tx, generation)).filter(({ kind }) => kind === 'policy');
  if (policies.length >= POLICIES_MAX)
    throw directoryFailure('adminLimitExceeded', `There are ${POLICIES_MAX} policies, more are not kept`);
}
