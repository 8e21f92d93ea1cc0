// Tokens of an entry, one added or one removed: a change of the directory that no door can make.
//
// In      the entry by its UUID; what is kept of the token (directory/token.ts)
// Out     what was changed, after the commit; or `not-found`, `exists` for a name that the entry has given, `too-many`
// Limits  TOKENS_MAX an entry, those that have expired too, until they are removed
// A token that goes ends the sessions that it has opened: they learn of it from the commit (login-changes.ts).
// That a change of password leaves them, and that they go with their entry, follows from where they are kept.

import { Failure } from '../base/failure.ts';
import { operation, type Transaction } from '../database/operation.ts';
import type { Caller } from '../directory/caller.ts';
import { entryByUuidIn } from '../directory/entries.ts';
import type { Entry, Modification } from '../directory/entry.ts';
import { formatTokenValue, type StoredToken, TOKEN_ATTRIBUTE, tokensOf } from '../directory/token.ts';
import { applyAll, type ChangeSummary } from './change.ts';
import { ANY_SITE } from './write-options.ts';

export const TOKENS_MAX = 50;

interface TokenArguments {
  /** Of the entry. */
  readonly uuid: string;
  readonly caller: Caller;
  /** Epoch milliseconds. */
  readonly now: number;
  /** Do all of it, report it, and undo it. */
  readonly dryRun?: boolean | undefined;
}

export const addToken = operation(
  'provisioning.add-token',
  async (tx, args: TokenArguments & { readonly token: StoredToken }): Promise<ChangeSummary> => {
    const entry = await holder(tx, args.uuid);
    const { token } = args;
    const tokens = tokensOf(entry);
    if (tokens.some(({ name }) => name === token.name))
      throw new Failure('exists', `there is a token named ${token.name} already`);
    if (tokens.length >= TOKENS_MAX)
      throw new Failure('too-many', `there are ${TOKENS_MAX} tokens already: remove one that is not used`);
    return changed(tx, entry, args, {
      operation: 'add',
      attribute: TOKEN_ATTRIBUTE,
      values: [formatTokenValue(token)],
    });
  },
);

export const removeToken = operation(
  'provisioning.remove-token',
  async (tx, args: TokenArguments & { readonly name: string }): Promise<ChangeSummary> => {
    const entry = await holder(tx, args.uuid);
    const token = tokensOf(entry).find(({ name }) => name === args.name);
    if (token === undefined) throw new Failure('not-found', `there is no token named ${args.name}`);
    const values = [formatTokenValue(token)];
    return changed(tx, entry, args, { operation: 'delete', attribute: TOKEN_ATTRIBUTE, values });
  },
);

async function holder(tx: Transaction, uuid: string): Promise<Entry> {
  const entry = await entryByUuidIn(tx, uuid);
  if (entry === undefined) throw new Failure('not-found', 'the entry of the account is gone');
  return entry;
}

async function changed(
  tx: Transaction,
  { dn }: Entry,
  { caller, now, dryRun }: TokenArguments,
  modification: Modification,
): Promise<ChangeSummary> {
  const change = { kind: 'modify', dn, modifications: [modification] } as const;
  const summary = await applyAll(tx, [change], caller, { now, ofServer: true, site: ANY_SITE });
  return dryRun === true ? tx.rollbackWith(summary) : summary;
}
