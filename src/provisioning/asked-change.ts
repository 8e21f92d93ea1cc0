// A change with what its request asks beside it: an assertion, the entry as it was and as it is, what is below it too.
//
// In      the change, in its transaction; who asks
// Out     the steps that it takes; the entries that were read, as the caller may see them
// Limits  SUBTREE_MAX entries of one deletion
// Errors  `assertionFailed`, `adminLimitExceeded`: nothing has happened then
// RFC 4527 §3, RFC 4528 §3

import type { Transaction } from '../database/operation.ts';
import { checkChange } from '../directory/access/check-change.ts';
import { mayReadAttribute, type Sight, sightIn } from '../directory/access/sight.ts';
import type { Caller } from '../directory/caller.ts';
import { parseDn } from '../directory/dn.ts';
import { entriesBelowIn, entryByUuidIn, findEntryIn } from '../directory/entries.ts';
import { type Attribute, type DirectoryChange, type Entry, memberTotal } from '../directory/entry.ts';
import { directoryFailure } from '../directory/failure.ts';
import { asksMembers, compileFilter, type MatchContext } from '../directory/match.ts';
import { matchContextIn } from '../directory/match-context.ts';
import { withAllMembersIn } from '../directory/member-values.ts';
import { SUBTREE_MAX, tooManyBelow } from '../directory/move-below.ts';
import { isWanted, selectAttributes, selectionOf } from '../directory/operational.ts';
import { isReferral, referral, referralAboveIn } from '../directory/referrals.ts';
import { effortOf } from '../directory/search-limits.ts';
import type { Filter } from '../wire/ldap/filter.ts';

/** Members of a list that a change may ask for, or its assertion ask of. */
const MEMBERS_READ_MAX = 1000;

/** What a request asks beside its change. */
export interface AskedBeside {
  /** The change is made only if its entry matches: the one that is there, or the one that is added. */
  readonly assertion?: Filter;
  /** Attributes of the entry as it was. */
  readonly preRead?: readonly string[];
  /** Attributes of the entry as it is. */
  readonly postRead?: readonly string[];
  /** A deletion: with all that is below. */
  readonly subtree?: boolean;
  /** What is at another server is said, not changed here: at a referral and below it, or only below it. */
  readonly refers?: 'any' | 'below';
}

export type AskedChange = DirectoryChange & { readonly beside?: AskedBeside };

/** An entry as somebody may see it. */
export interface ReadEntry {
  readonly dn: string;
  readonly attributes: readonly Attribute[];
}

/** Of one change. */
export interface ReadBeside {
  readonly before?: ReadEntry;
  readonly after?: ReadEntry;
}

const PAGE = 1000;

/** The change itself; for a deletion of a subtree one of each entry, those below first. */
export async function stepsOf(
  tx: Transaction,
  caller: Caller,
  change: AskedChange,
): Promise<readonly DirectoryChange[]> {
  if (change.kind !== 'delete' || change.beside?.subtree !== true) return [change];
  // How much is below is told, and looked at, only for who may delete the base.
  await checkChange(tx, caller, change);
  const base = parseDn(change.dn);
  const steps: DirectoryChange[] = [];
  for (let after: string | undefined; ; ) {
    const { entries, last } = await entriesBelowIn(tx, base, after, PAGE);
    for (const { dn } of entries) steps.push({ kind: 'delete', dn });
    if (steps.length > SUBTREE_MAX) throw tooManyBelow();
    if (last === undefined) break;
    after = last;
  }
  // None is there: the change itself says so.
  return steps.length === 0 ? [change] : steps.reverse();
}

/** Whether its entry is to be looked at. */
export function looksAt({ beside }: AskedChange): boolean {
  return (beside?.assertion ?? beside?.preRead ?? beside?.postRead) !== undefined;
}

/** Carries the change out with what is asked beside it. */
export async function withBeside(
  tx: Transaction,
  caller: Caller,
  change: AskedChange,
  carryOut: () => Promise<void>,
): Promise<ReadBeside> {
  const { assertion, preRead, postRead, refers } = change.beside ?? {};
  const there = await findEntryIn(tx, change.dn);
  const isAdd = change.kind === 'add';
  if (!isAdd && there !== undefined) {
    if (refers === 'any' && isReferral(there) && (await isSeen(tx, caller, there)))
      throw referral(there, parseDn(change.dn));
    // Before it is looked at: a list may have a million members.
    await checkChange(tx, caller, change);
    if (assertion !== undefined) await check(tx, caller, there, assertion);
  }
  const before = preRead && there && (await read(tx, caller, there, preRead));
  await carryOut();
  const made = isAdd || there === undefined ? await findEntryIn(tx, change.dn) : await entryByUuidIn(tx, there.uuid);
  if (assertion !== undefined && isAdd && made !== undefined) await check(tx, caller, made, assertion);
  const after = postRead && made && (await read(tx, caller, made, postRead));
  return { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) };
}

/** Throws the referral that is in the way of a change that has failed, where the caller sees it. */
export async function checkReferral(tx: Transaction, caller: Caller, change: AskedChange): Promise<void> {
  const refers = change.beside?.refers;
  if (refers === undefined) return;
  const dn = parseDn(change.dn);
  // An entry of the name that is added exists, whatever it is.
  const above = await referralAboveIn(tx, dn, change.kind === 'add' || refers === 'below');
  if (above !== undefined && (await isSeen(tx, caller, above))) throw referral(above, dn);
}

async function isSeen(tx: Transaction, caller: Caller, entry: Entry): Promise<boolean> {
  return (await sightIn(tx, caller, entry)).shown(entry) !== undefined;
}

/** What the caller does not see is not there: the change itself says so. */
async function check(tx: Transaction, caller: Caller, entry: Entry, assertion: Filter): Promise<void> {
  const sight = await sightIn(tx, caller, entry);
  if (sight.shown(entry) === undefined) return;
  const context: MatchContext = await matchContextIn(tx, entry);
  const { maySearch } = sight;
  const effort = effortOf(sight.caller);
  const asked = maySearch === undefined ? { ...context, effort } : { ...context, effort, maySearch };
  const whole = asksMembers(assertion) ? await withMembersIn(tx, entry) : entry;
  const holds = compileFilter(assertion)(sight.bare(whole), asked);
  if (holds !== true) throw directoryFailure('assertionFailed', 'The entry does not match the assertion');
}

/** Undefined where the caller may not see the entry. */
async function read(
  tx: Transaction,
  caller: Caller,
  entry: Entry,
  attributes: readonly string[],
): Promise<ReadEntry | undefined> {
  const selection = selectionOf(attributes);
  const sight: Sight = await sightIn(tx, caller, entry);
  const wantsMembers = [...(entry.memberCounts?.keys() ?? [])].some(
    (key) => isWanted(key, selection) && sight.mayRead(entry, key),
  );
  const shown = sight.shown(wantsMembers ? await withMembersIn(tx, entry) : entry);
  if (shown === undefined) return undefined;
  const chosen = selectAttributes(shown, selection, await matchContextIn(tx, entry));
  return { dn: shown.dn, attributes: chosen.filter((attribute) => mayReadAttribute(sight, entry, attribute)) };
}

/** All other changes wait while members are read here. */
async function withMembersIn(tx: Transaction, entry: Entry): Promise<Entry> {
  if (memberTotal(entry) > MEMBERS_READ_MAX)
    throw directoryFailure(
      'adminLimitExceeded',
      `The list has more than ${MEMBERS_READ_MAX} members: ask for them, or of them, in a search`,
    );
  return withAllMembersIn(tx, entry);
}
