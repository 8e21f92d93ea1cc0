// Which of a user's delivery options a target comes from. A recipient with several options has a target of each, and each
// waits by itself: when one is resolved again, the others have been served.
//
// In      a resolution of the whole recipient; the part that is meant
// Out     what of it is that part

import { isAccepted } from '../../base/reply.ts';
import { replies } from '../replies.ts';
import type { Resolution } from '../resolution.ts';
import type { Target } from '../targets.ts';

export interface PartOf {
  /** The option: `mailbox`, `forward`, ... */
  readonly part: string;
  /** The entry's id; absent: whoever has it. */
  readonly of?: number;
}

type Parted = Pick<Resolution, 'targets' | 'reply' | 'failures'>;

/** Undefined for a target of a recipient with one option. */
export function partOf({ options }: Pick<Target, 'options'>): PartOf | undefined {
  const { part, of } = options;
  if (typeof part !== 'string') return undefined;
  return of === undefined ? { part } : { part, of: Number(of) };
}

/** No targets, where the option is set no more. A refusal holds for each part. */
export function chosenPart<R extends Parted>(resolution: R, wanted: PartOf | undefined): R | Parted {
  if (wanted === undefined || !isAccepted(resolution.reply)) return resolution;
  const { part, of } = wanted;
  const own = resolution.targets.filter((target) => {
    const its = partOf(target);
    return its !== undefined && its.part === part && (of === undefined || its.of === undefined || its.of === of);
  });
  if (own.length > 0) return { targets: own, reply: replies.accepted, failures: [] };
  // Who has the mailbox alone has targets that say nothing of parts.
  const whole = part === 'mailbox' && resolution.targets.every((target) => partOf(target) === undefined);
  return whole ? resolution : { targets: [], reply: replies.accepted, failures: [] };
}
