// What becomes of a sender's wish for reports where a message goes on. RFC 3461 §5.2
//
// In      a recipient, and the targets that it leads to
// Out     what goes on to each of them, and the report that is due here
//         one target: all goes on. Several, or a list that is expanded later: "expanded" is reported here where SUCCESS was
//         asked, and SUCCESS goes no further. Lists that make a message of their own: channels/list.ts

import { type Recipient, wants } from '../message/envelope.ts';
import { listOfTarget, type Target } from '../routing/targets.ts';
import type { Done } from './queue.ts';

export type AskedOfRecipient = Omit<Recipient, 'address'>;

export interface Notify {
  readonly onward: AskedOfRecipient;
  /** Reported where it is accepted. */
  readonly own?: Done;
}

const EXPANDED: Done = { action: 'expanded', status: '2.1.5', words: 'The message goes on to several recipients' };

export function notifyOf(asked: Recipient, targets: readonly Target[]): Notify {
  if (asked.notify === undefined) return { onward: asked };
  if (!goesToSeveral(targets)) return { onward: asked };
  const onward = { ...asked, notify: asked.notify.filter((word) => word !== 'SUCCESS') };
  return wants(asked, 'SUCCESS') ? { onward, own: EXPANDED } : { onward };
}

function goesToSeveral(targets: readonly Target[]): boolean {
  return targets.length > 1 || targets.some((target) => listOfTarget(target) !== undefined);
}

/** A member is not what the sender wrote. */
export function askedOfMember({ notify, orcpt }: AskedOfRecipient): AskedOfRecipient {
  return { ...(notify === undefined ? {} : { notify }), ...(orcpt === undefined ? {} : { orcpt }) };
}

/** Of two recipients that lead to one target: it is told whatever one of them wants to know. */
export function together(first: AskedOfRecipient, second: AskedOfRecipient): AskedOfRecipient {
  if (first.notify === undefined && second.notify === undefined) return first;
  const words = (['SUCCESS', 'FAILURE', 'DELAY'] as const).filter((word) => wants(first, word) || wants(second, word));
  return { ...first, notify: words };
}
