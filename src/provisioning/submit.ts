// How every face writes the directory: LDAP, the admin operations, the command line.
//
// In      changes as a caller asks for them, with clear passwords
// Out     what was done, after the commit; a Failure by kind, with its LDAP result name
// Never   lets a clear password reach the writer, a table or the log

import { checkClearPasswords, hashClearPasswords } from '../auth/hash-clear.ts';
import type { HashGate } from '../auth/hash-gate.ts';
import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import { idOf, type Revision } from '../base/ids.ts';
import type { Writer } from '../database/operation.ts';
import { checkAnywhere, checkKeys, mayDoAll, passwordsIn } from '../directory/access/check-change.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import type { DirectoryAuthority } from '../directory/source/authority.ts';
import type { AskedChange } from './asked-change.ts';
import { type ChangeArguments, type ChangeSummary, change } from './change.ts';
import { writesOnlyOurs } from './mirrored-guard.ts';

export interface ProvisioningParts {
  readonly writer: Writer;
  readonly clock: Clock;
  /** How many passwords are hashed at once. */
  readonly gate: HashGate;
  /** Where entries may be others' who take changes from here. */
  readonly others?: Pick<DirectoryAuthority, 'renew' | 'forward'>;
  /** False: passwords get no keys for SCRAM. */
  readonly makesKeys?: boolean;
}

/** What a caller asks for; passwords may be clear. */
export type ChangeRequest = Omit<ChangeArguments, 'now'>;

/**
 * Hashes clear passwords, then makes the changes in order and in one commit: all of them, or none and the failure of the
 * first that does not go. Resolves after that commit. A dry run resolves with what would have been done.
 */
export async function submitChange(parts: ProvisioningParts, request: ChangeRequest): Promise<ChangeSummary> {
  return orForwarded(parts, request, post(parts, await prepared(parts, request)));
}

/**
 * A submitChange whose changes are posted to the writer in the order of the calls, however long the passwords of one take to
 * be hashed. None waits for another's commit.
 */
export function submitterInOrder(parts: ProvisioningParts): (request: ChangeRequest) => Promise<ChangeSummary> {
  let posted: Promise<void> = Promise.resolve();
  return async (request) => {
    const earlier = posted;
    const own = Promise.withResolvers<void>();
    posted = own.promise;
    try {
      const ready = await prepared(parts, request);
      await earlier;
      const committed = orForwarded(parts, request, post(parts, ready));
      own.resolve();
      return await committed;
    } finally {
      // Also a request that fails before it is posted has waited for those before it.
      own.resolve(earlier);
    }
  };
}

/** The request with every clear password hashed. */
async function prepared(
  { writer, gate, makesKeys = true, others }: ProvisioningParts,
  request: ChangeRequest,
): Promise<ChangeRequest> {
  const { caller, isHandedOn = false } = request;
  const forwarded = forwardable(request);
  if (forwarded !== undefined) await others?.renew(forwarded, 'dn' in caller ? caller.dn : undefined);
  // Its server has hashed what was clear, and has looked.
  if (!isHandedOn) for (const each of request.changes) checkKeys(caller, each);
  const kinds = request.changes.filter((each) => passwordsIn(each).length > 0).map(({ kind }) => kind);
  checkClearPasswords(request.changes);
  if (kinds.length > 0 && !mayDoAll(caller)) await writer.execute(checkAnywhere, { caller, kinds });
  const changes: AskedChange[] = [];
  for (const each of request.changes) {
    const hashed = await hashClearPasswords(each, { gate, makesKeys });
    changes.push(each.beside === undefined ? hashed : { ...hashed, beside: each.beside });
  }
  return { ...request, changes };
}

/**
 * A change that our directory refuses because the entry is another's goes there, as it was asked for: whether the caller may was
 * looked at before, by what that one says now. One change alone: there is no commit of several there.
 */
async function orForwarded(
  { others }: ProvisioningParts,
  request: ChangeRequest,
  committed: Promise<ChangeSummary>,
): Promise<ChangeSummary> {
  try {
    return await committed;
  } catch (error) {
    const isOthers = error instanceof Failure && error.ldap?.name === 'referral';
    const forwarded = isOthers ? forwardable(request) : undefined;
    if (forwarded === undefined || (await others?.forward(forwarded)) !== true) throw error;
    return { revision: idOf<Revision>(0), entries: [], rows: [] };
  }
}

/** What another directory could be asked to do in our place: one change, and nothing beside it that our own commit gives. */
function forwardable({ changes, dryRun }: ChangeRequest): DirectoryChange | undefined {
  const [change, ...more] = changes;
  if (change === undefined || more.length > 0 || dryRun === true || writesOnlyOurs(change)) return undefined;
  const { beside = {}, ...plain } = change;
  const asksMore = beside.assertion ?? beside.preRead ?? beside.postRead ?? beside.subtree;
  return asksMore === undefined ? plain : undefined;
}

function post({ writer, clock }: ProvisioningParts, request: ChangeRequest): Promise<ChangeSummary> {
  return writer.execute(change, { ...request, now: clock.now() }, sizeOf(request.changes));
}

/** Roughly what the changes weigh on their way to the writer. */
function sizeOf(changes: readonly DirectoryChange[]): number {
  let bytes = 0;
  for (const each of changes) {
    bytes += 500;
    const lists = each.kind === 'add' ? each.attributes : each.kind === 'modify' ? each.modifications : [];
    for (const { values } of lists) for (const value of values) bytes += value.length + 50;
  }
  return bytes;
}
