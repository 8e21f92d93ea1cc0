// What becomes of a sender's wish for reports where a message goes on. RFC 3461 §5.2
//
// In      a recipient, and the targets that it leads to
// Out     what goes on to each of them, and the report that is due here
//         one target: all goes on. Several: "expanded" is reported here where SUCCESS was asked, and SUCCESS goes no further

import { type Recipient, wants } from '../message/envelope.ts';
import type { Target } from '../routing/targets.ts';
import type { Done } from './queue.ts';

export type AskedOfRecipient = Omit<Recipient, 'address'>;

export interface Notify {
  readonly onward: AskedOfRecipient;
  /** Reported where it is accepted. */
  readonly own?: Done;
}

const EXPANDED: Done = { action: 'expanded', status: '2.1.5', words: 'The message goes on to several recipients' };

export function notifyOf(asked: Recipient, targets: readonly Target[]): Notify {
  if (asked.notify === undefined || targets.length < 2) return { onward: asked };
  const onward = { ...asked, notify: asked.notify.filter((word) => word !== 'SUCCESS') };
  return wants(asked, 'SUCCESS') ? { onward, own: EXPANDED } : { onward };
}

/** Of two recipients that lead to one target: it is told whatever one of them wants to know. */
export function together(first: AskedOfRecipient, second: AskedOfRecipient): AskedOfRecipient {
  if (first.notify === undefined && second.notify === undefined) return first;
  const words = (['SUCCESS', 'FAILURE', 'DELAY'] as const).filter((word) => wants(first, word) || wants(second, word));
  return { ...first, notify: words };
}
