// How every face writes the directory: LDAP, the admin operations, the command line.
//
// In      changes as somebody asks for them, clear passwords and all
// Out     what was done, after the commit; a Failure by kind, with its LDAP result name
// Never   lets a clear password reach the writer, a table or the log

import { hashClearPasswords } from '../auth/hash-clear.ts';
import type { HashGate } from '../auth/hash-gate.ts';
import type { Clock } from '../base/clock.ts';
import type { Writer } from '../database/operation.ts';
import { checkChangeKind } from '../directory/caller.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { type ChangeArguments, type ChangeSummary, change } from './change.ts';

export interface ProvisioningParts {
  readonly writer: Writer;
  readonly clock: Clock;
  /** How many passwords are hashed at once. */
  readonly gate: HashGate;
}

/** What somebody asks for; passwords may be clear. */
export type ChangeRequest = Omit<ChangeArguments, 'now'>;

/**
 * Hashes clear passwords, then makes the changes in order and in one commit: all of them, or none and the failure of the
 * first that does not go. Resolves after that commit. A dry run resolves with what would have been done.
 */
export async function submitChange(parts: ProvisioningParts, request: ChangeRequest): Promise<ChangeSummary> {
  for (const each of request.changes) checkChangeKind(request.caller, each);
  const changes: DirectoryChange[] = [];
  for (const each of request.changes) changes.push(await hashClearPasswords(each, parts.gate));
  return parts.writer.execute(change, { ...request, changes, now: parts.clock.now() }, sizeOf(changes));
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
