// The writer's side of publishing: what an update is to add, noted before it leaves; what a try has come to; a wish to publish now.
//
// In      a domain as the publisher has seen it in the outbox
// Out     rows of outbox and published records, the state of the domain's entry: of one try in one transaction

import { type Operation, operation } from '../database/operation.ts';
import { reachState } from '../provisioning/domain-state.ts';
import type { ChangeSite } from '../provisioning/write-options.ts';
import { noteConflicts } from '../zones/conflicts.ts';
import { type DueDomain, hurryOutbox, isStillDue, leaveOutbox, queueOutbox, waitInOutbox } from '../zones/outbox.ts';
import { nameOfPath } from '../zones/path.ts';
import { noteIntended, notePublished, type PublishedAt } from '../zones/published.ts';
import { beginWatch } from '../zones/watch.ts';
import type { Conflict } from './plan.ts';

interface IntendArguments extends PublishedAt {
  readonly due: DueDomain;
  readonly now: number;
}

/** Before an update is sent. False: the domain has moved, nothing is to be sent. */
export const intend = operation('publishing.intend', async (tx, args: IntendArguments): Promise<boolean> => {
  const { due, ...change } = args;
  if (!(await isStillDue(tx, due))) return false;
  await noteIntended(tx, { ...change, path: due.path });
  return true;
});

export interface TriedArguments {
  readonly due: DueDomain;
  /** What is ours at each primary that was asked, as far as that is known. */
  readonly places: readonly PublishedAt[];
  readonly conflicts: readonly Conflict[];
  /** Its records stand at the primary that has its zone now. */
  readonly isPublished: boolean;
  /** Why it is due again, and when. */
  readonly failed?: { readonly error: string; readonly next: number };
  readonly now: number;
}

export function triedOperation(site: ChangeSite): Operation<TriedArguments, void> {
  return operation('publishing.tried', async (tx, { due, places, conflicts, isPublished, failed, now }) => {
    const { path } = due;
    for (const place of places) await notePublished(tx, { ...place, path, now });
    if (isPublished) {
      await reachState(tx, { domain: nameOfPath(path), state: 'published', now, site });
      await beginWatch(tx, { path, now, conflicts: conflicts.length });
    }
    if (isPublished || failed === undefined) await noteConflicts(tx, path, conflicts);
    if (failed === undefined) await leaveOutbox(tx, due);
    else await waitInOutbox(tx, due, failed);
  });
}

/** The domain is tried at once; undefined: all that wait. Gives how many. */
export const publishNow = operation(
  'publishing.now',
  async (tx, wish: { readonly path?: string; readonly isForced: boolean; readonly now: number }): Promise<number> => {
    const { path, isForced, now } = wish;
    if (path === undefined) return hurryOutbox(tx);
    await queueOutbox(tx, { path, revision: tx.revision, now, isForced });
    return 1;
  },
);

export function publishingOperations(site: ChangeSite) {
  return [intend, triedOperation(site), publishNow];
}
