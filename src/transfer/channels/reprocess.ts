// The reprocess channel: recipients who are resolved again, because what was known of them holds no more or not yet, and lists
// that are expanded slice by slice. What that leads to is done in the same transaction: references in mailboxes, rows of
// other channels, refusals.
//
// In      recipients of one message, at most REPROCESS_SLICE; of a list its next members are read here (expand-list.ts)
// Out     for each the name of the operation that does it

import type { Reader } from '../../database/operation.ts';
import type { RoutingCache } from '../../routing/cache.ts';
import { listOfTarget } from '../../routing/targets.ts';
import { NOT_YET, readAskedSlice } from '../expand-list.ts';
import { LOCAL_DELIVERY } from '../local-delivery.ts';
import { type Outcome, outcome } from '../outcome.ts';
import type { Channel, Delivered, Delivery } from './channel.ts';

/** Recipients of an operation: some milliseconds of the writer. */
const REPROCESS_SLICE = 200;

const IN_THE_WRITER: Outcome = {
  ...outcome('delivered', '2.1.5', 'resolved again'),
  operation: { name: LOCAL_DELIVERY, args: {} },
};

export interface ReprocessParts {
  readonly reader: Reader;
  readonly routing: Pick<RoutingCache, 'askMembers'>;
}

export class ReprocessChannel implements Channel {
  static readonly kind: Pick<Channel, 'name' | 'isLocal'> = { name: 'reprocess', isLocal: true };
  readonly name = ReprocessChannel.kind.name;
  readonly isLocal = ReprocessChannel.kind.isLocal;
  readonly recipientsMax = REPROCESS_SLICE;
  readonly #parts: ReprocessParts;

  constructor(parts: ReprocessParts) {
    this.#parts = parts;
  }

  /** Of one list at a time: a slice is as much as an operation may do. */
  async deliver({ message, targets }: Delivery): Promise<Delivered> {
    const first = targets.findIndex((target) => listOfTarget(target) !== undefined);
    const outcomes: Outcome[] = [];
    for (const [index, target] of targets.entries())
      if (listOfTarget(target) === undefined) outcomes.push(IN_THE_WRITER);
      else outcomes.push(index === first ? await readAskedSlice(this.#parts, message.id, target) : NOT_YET);
    return { outcomes };
  }
}
