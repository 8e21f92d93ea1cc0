// One directory write and all that follows from it, in one transaction: the product's promise "one write".
//
// In      changes as a door asks for them, passwords hashed already
// Out     the entries as they are now; the missing nodes and containers, the account, the rows of the routing and alias
//         tables and of the zones, all in the same commit
// Order   may the caller -> nodes above -> the entry -> what is written along (along.ts) -> checks (checks.ts) and the tables of
//         others (followers.ts), for each change in turn; what names an entry that has moved or gone follows as a change of its own
//         (directory/references.ts)
// Never   half of it: whatever fails undoes all
// This is the writer's side; every face calls submitChange (submit.ts).

import type { Revision } from '../base/ids.ts';
import { type Awaitable, type Operation, operation, type Transaction } from '../database/operation.ts';
import { checkChange } from '../directory/access/check-change.ts';
import { applyChange } from '../directory/apply-change.ts';
import { authorOf, type Caller } from '../directory/caller.ts';
import { parseDn } from '../directory/dn.ts';
import { findEntryIn } from '../directory/entries.ts';
import type { ChangedEntry, DirectoryChange } from '../directory/entry.ts';
import { followReferences } from '../directory/references.ts';
import { Losses } from '../routing/losses.ts';
import type { TableChange } from '../routing/synchronize.ts';
import { alongs } from './along.ts';
import { type AskedChange, checkReferral, looksAt, type ReadBeside, stepsOf, withBeside } from './asked-change.ts';
import { checks } from './checks.ts';
import { withLife } from './domain-life.ts';
import { followers } from './followers.ts';
import { addMissingNodes, deleteEmptyContainers, takeOver } from './generated.ts';
import { checkAsked } from './guards.ts';
import { checkKeptSecret } from './kept-secret.ts';
import { noteLoginChanges } from './login-changes.ts';
import { checkNotMirrored } from './mirrored-guard.ts';
import { withPreferredHost } from './preferred-mail-host.ts';
import { recordChange } from './replica/recorded.ts';
import { ANY_SITE, type ChangeSite, type WriteOptions } from './write-options.ts';

export interface ChangeArguments {
  readonly changes: readonly AskedChange[];
  /** Decides what may be done, and is the author of what is done. */
  readonly caller: Caller;
  /** The address that it asks from, '' for none. */
  readonly peer: string;
  /** Epoch milliseconds. */
  readonly now: number;
  /** Do all of it, report it, and undo it. */
  readonly dryRun?: boolean;
  /** The login that asks (StandingLogin.id): a password that it changes does not end it. */
  readonly session?: string | undefined;
  /** Another server of this directory hands it on: it may write what only servers write. */
  readonly isHandedOn?: boolean;
}

/** One entry that the operation made, changed or removed. */
export interface EntrySummary {
  readonly kind: DirectoryChange['kind'];
  /** As it is now; as it was, for a removed one. */
  readonly dn: string;
  readonly uuid: string;
  readonly revision: Revision;
  /** It was made or removed along with the entry that the change names. */
  readonly generated: boolean;
}

export interface ChangeSummary {
  /** Of the last change. A dry run's is never published. */
  readonly revision: Revision;
  readonly entries: readonly EntrySummary[];
  readonly rows: readonly TableChange[];
  /** One for each change that asks to look at its entry. */
  readonly reads?: readonly ReadBeside[];
}

/** Rows named in a summary; a domain's base may move a hundred thousand. */
const SUMMARY_ROWS_MAX = 1000;

/** What another folder has against a change that has been made, in its transaction: it throws. */
export type ChangeGuard = (tx: Transaction, changed: ChangedEntry) => Awaitable<void>;

export function changeOperation(
  guards: readonly ChangeGuard[],
  site: ChangeSite,
): Operation<ChangeArguments, ChangeSummary> {
  return operation('provisioning.change', async (tx, args) => {
    const { changes, caller, now, session, dryRun, isHandedOn: ofServer = false } = args;
    const summary = await applyAll(tx, changes, caller, { now, session, guards, site, ofServer });
    return dryRun === true ? tx.rollbackWith(summary) : summary;
  });
}

/** For who posts it. */
export const change = changeOperation([], ANY_SITE);

interface ApplyAllOptions extends Omit<WriteOptions, 'author'>, Pick<ChangeArguments, 'session'> {
  readonly guards?: readonly ChangeGuard[];
  /** What it writes of passwords are other hashes of the same ones: no login ends. */
  readonly samePassword?: boolean;
}

/** For an operation of this folder that makes changes of its own. */
export async function applyAll(
  tx: Transaction,
  changes: readonly AskedChange[],
  caller: Caller,
  { session, samePassword = false, guards = [], ...more }: ApplyAllOptions,
): Promise<ChangeSummary> {
  const losses = new Losses();
  const plain: WriteOptions = { ...more, author: authorOf(caller), losses };
  const entries: EntrySummary[] = [];
  const rows: TableChange[] = [];
  const reads: ReadBeside[] = [];
  const gone: ChangedEntry[] = [];
  const allChecks = [...checks, ...guards];
  const carryOut = async (change: DirectoryChange, options: WriteOptions): Promise<void> => {
    await checkChange(tx, caller, change);
    checkAsked(change);
    const recorded = recordChange(tx, caller, change);
    if (recorded === 'alone') return;
    // The provider knows whether a source takes it.
    if (recorded === undefined) await checkNotMirrored(tx, change);
    const changed = await applyOne(tx, change, options);
    for (const each of changed) checkKeptSecret(caller, each);
    const naming = change.kind === 'rename' ? await followReferences(tx, changed, options) : [];
    const moved = new Set(changed.map(({ after }) => after?.id));
    // A base is the domain's under its new name before the rows of those below it are made.
    for (const isMoved of [false, true]) {
      if (isMoved) await noteAll(changed, options);
      await noteAll(
        naming.filter(({ after }) => moved.has(after?.id) === isMoved),
        options,
      );
    }
    if (change.kind === 'delete') gone.push(...changed);
  };
  const noteAll = async (changed: readonly ChangedEntry[], options: WriteOptions): Promise<void> => {
    for (const each of changed) {
      entries.push(summaryOf(each));
      for (const check of allChecks) await check(tx, each);
      for (const follow of followers) rows.push(...((await follow(tx, each, options)) ?? []));
      noteLoginChanges(tx, each, { session, samePassword });
    }
  };
  for (const each of changes) {
    const { beside } = each;
    const options: WriteOptions = beside?.refers === undefined ? plain : { ...plain, refers: beside.refers };
    const carryOutEach = async (): Promise<void> => {
      await carryOutAll(tx, { caller, change: each }, (step) => carryOut(step, options));
      // With a subtree a base may go, and the domain that has it.
      await noteAll(await followReferences(tx, gone.splice(0), options), options);
    };
    if (looksAt(each)) reads.push(await withBeside(tx, caller, each, carryOutEach));
    else await carryOutEach();
  }
  await losses.check(tx);
  const summary = { revision: tx.revision, entries, rows: rows.slice(0, SUMMARY_ROWS_MAX) };
  return reads.length === 0 ? summary : { ...summary, reads };
}

/** A referral in the way is what the client is answered, whatever else is wrong, if it may see that one. */
async function carryOutAll(
  tx: Transaction,
  { caller, change }: { readonly caller: Caller; readonly change: AskedChange },
  carryOut: (step: DirectoryChange) => Promise<void>,
): Promise<void> {
  try {
    const steps = await stepsOf(tx, caller, change);
    for (const step of steps) {
      // What went along with an entry below is gone already.
      if (steps.length === 1 || (await findEntryIn(tx, step.dn)) !== undefined) await carryOut(step);
    }
  } catch (error) {
    await checkReferral(tx, caller, change);
    throw error;
  }
}

/** The entries that one change touches, in the order in which they were written. */
async function applyOne(tx: Transaction, change: DirectoryChange, options: WriteOptions): Promise<ChangedEntry[]> {
  switch (change.kind) {
    case 'add': {
      const dn = parseDn(change.dn);
      const existing = await findEntryIn(tx, dn);
      const nodes = existing === undefined ? await addMissingNodes(tx, dn, ofOthers(options)) : [];
      const made = await applyChange(tx, takeOver(existing, change.attributes) ?? change, {
        ...options,
        takesOver: true,
      });
      const added = await withLife(tx, await withPreferredHost(tx, made, options), options);
      return [...nodes, added, ...(await madeAlong(tx, added, options))];
    }
    case 'modify':
    case 'rename': {
      const made = await withLife(tx, await applyChange(tx, change, options), options);
      const moved = [made, ...(made.below ?? [])];
      const along: ChangedEntry[] = [];
      for (const each of moved) along.push(...(await madeAlong(tx, each, options)));
      return [...moved, ...along];
    }
    case 'delete': {
      const entry = await findEntryIn(tx, change.dn);
      const containers = entry === undefined ? [] : await deleteEmptyContainers(tx, entry, options);
      const deleted = await applyChange(tx, change, options);
      return [...containers, deleted, ...(await madeAlong(tx, deleted, options))];
    }
  }
}

async function madeAlong(tx: Transaction, changed: ChangedEntry, options: WriteOptions): Promise<ChangedEntry[]> {
  const made: ChangedEntry[] = [];
  for (const along of alongs) made.push(...(await along(tx, changed, ofOthers(options))));
  return made;
}

/** Only the entry that a change names is another server's. */
function ofOthers(options: WriteOptions): WriteOptions {
  return options.kept === undefined ? options : { ...options, kept: undefined };
}

function summaryOf({ kind, revision, before, after }: ChangedEntry): EntrySummary {
  const entry = (after ?? before)!;
  return { kind, revision, dn: entry.dn, uuid: entry.uuid, generated: entry.generated === true };
}
