// Which of an entry's delivery options a target comes from. A recipient with several options has a target of each, and each
// waits by itself: when one is resolved again, the others have been served.
//
// In      a resolution of the whole recipient; the part that is meant
// Out     what of it is that part
// Alone   of a user who had the mailbox and nothing else a row says whose mailbox it is, and no part: an option that comes meanwhile
//         has no business with it; where the mailbox is gone, all that is there now takes it
// States  the option is set: its targets. The entry has the usual option alone: its targets say nothing of parts. Something else
//         takes the entry's mail, or keeps it: that takes each part. Else the option is set no more, and there is nothing
// Never   what other addresses get that the entry sends on to: they have been served, or are rows of their own

import { isAccepted } from '../../base/reply.ts';
import { type Address, addressKey } from '../../message/address.ts';
import { replies } from '../replies.ts';
import type { Resolution } from '../resolution.ts';
import { isLeftToModerators, originOf, type Target, waits } from '../targets.ts';

export interface PartOf {
  /** The option: `mailbox`, `forward`, ... */
  readonly part: string;
  /** The entry's id; absent: whoever has it. */
  readonly of?: number;
  /** The mailbox was all that there was, this account's: nobody else has served the message. */
  readonly aloneOf?: number;
}

type Parted = Pick<Resolution, 'targets' | 'reply' | 'failures'>;

/** Undefined for a target that stands for the whole recipient. */
export function partOf({ options }: Pick<Target, 'options'>): PartOf | undefined {
  const { part, of } = options;
  if (typeof part !== 'string' || isLeftToModerators(options)) return undefined;
  return of === undefined ? { part } : { part, of: Number(of) };
}

/** What a queue row waits for. Undefined: it stands for the whole recipient. */
export function partWaitedFor(target: Pick<Target, 'options'>): PartOf | undefined {
  return partOf(target) ?? alonePart(target);
}

/** Of a target that is, or in the queue was, the one mailbox of a user without other options. */
export function alonePart({ options }: Pick<Target, 'options'>): PartOf | undefined {
  const { part, account } = options;
  return part === undefined && account !== undefined ? { part: 'mailbox', aloneOf: Number(account) } : undefined;
}

/** No targets, where the option is set no more. A refusal holds for each part. `address` is what has been resolved. */
export function chosenPart<R extends Parted>(resolution: R, wanted: PartOf | undefined, address: Address): R | Parted {
  if (wanted === undefined || !isAccepted(resolution.reply)) return resolution;
  const { targets } = resolution;
  const { part, of, aloneOf } = wanted;
  if (aloneOf !== undefined) return mailboxAlone(resolution, aloneOf, address);
  const set = targets.filter((target) => {
    const its = partOf(target);
    return its !== undefined && its.part === part && (of === undefined || its.of === undefined || its.of === of);
  });
  if (set.length > 0) return chosen(set);
  const isOfEntry = (target: Target): boolean => {
    const its = partOf(target);
    return its !== undefined && (of === undefined || its.of === undefined || its.of === of);
  };
  if (targets.some(isOfEntry)) return chosen([]);
  // The members of a list that has them alone are recipients of their own.
  if (part === 'members') return resolution;
  const key = addressKey(address);
  const own = targets.filter((target) => addressKey(originOf(target.options) ?? target.recipient) === key);
  const taking = part === 'mailbox' ? own : own.filter(({ destination }) => destination !== '');
  return chosen(taking.map((target) => ofPart(target, wanted)));
}

function mailboxAlone<R extends Parted>(resolution: R, account: number, address: Address): R | Parted {
  const key = addressKey(address);
  const isOwn = ({ options, recipient }: Target): boolean => addressKey(originOf(options) ?? recipient) === key;
  const { targets } = resolution;
  const mailbox = targets.filter((target) => isOwn(target) && partOf(target)?.part === 'mailbox');
  if (mailbox.length > 0) return chosen(mailbox);
  // Kept again, it is still that mailbox which it waits for.
  const isKept = (target: Target): boolean => waits(target) && isOwn(target) && partOf(target) === undefined;
  if (!targets.some(isKept)) return resolution;
  const kept = targets.map((target) =>
    isKept(target) ? { ...target, options: { ...target.options, account } } : target,
  );
  return { ...resolution, targets: kept };
}

function chosen(targets: readonly Target[]): Parted {
  return { targets, reply: replies.accepted, failures: [] };
}

/** It is resolved again as that part. Several parts of a recipient that are kept are several rows. */
function ofPart(target: Target, { part, of }: PartOf): Target {
  if (partOf(target) !== undefined) return target;
  const options = { ...target.options, part, ...(of === undefined ? {} : { of }) };
  return { ...target, options, key: waits(target) ? `${target.key} ${part} ${of ?? ''}` : target.key };
}
