// How every face writes the directory: LDAP, the admin operations, the command line.
//
// In      changes as somebody asks for them, clear passwords and all
// Out     what was done, after the commit; a Failure by kind, with its LDAP result name
// Never   lets a clear password reach the writer, a table or the log

import { hashClearPasswords } from '../auth/hash-clear.ts';
import type { HashGate } from '../auth/hash-gate.ts';
import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import type { Writer } from '../database/operation.ts';
import type { DirectoryChange } from '../directory/entry.ts';
import { type ChangeArguments, type ChangeSummary, change, DRY_RUN } from './change.ts';

export interface ProvisioningParts {
  readonly writer: Writer;
  readonly clock: Clock;
  /** How many passwords are hashed at once. */
  readonly gate: HashGate;
}

export interface SubmitOptions {
  readonly dryRun?: boolean;
}

/**
 * Hashes clear passwords, then makes the changes in order and in one commit: all of them, or none and the failure of the
 * first that does not go. Resolves after that commit. A dry run resolves with what would have been done.
 */
export async function submitChange(
  parts: ProvisioningParts,
  changes: DirectoryChange | readonly DirectoryChange[],
  author: string,
  options: SubmitOptions = {},
): Promise<ChangeSummary> {
  const asked = 'kind' in changes ? [changes] : changes;
  const hashed: DirectoryChange[] = [];
  for (const each of asked) hashed.push(await hashClearPasswords(each, parts.gate));
  const args: ChangeArguments = {
    changes: hashed,
    author,
    now: parts.clock.now(),
    ...(options.dryRun === undefined ? {} : { dryRun: options.dryRun }),
  };
  try {
    return await parts.writer.execute(change, args, sizeOf(hashed));
  } catch (error) {
    const undone = error instanceof Failure ? error.data?.[DRY_RUN] : undefined;
    if (undone === undefined) throw error;
    return JSON.parse(undone) as ChangeSummary;
  }
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
