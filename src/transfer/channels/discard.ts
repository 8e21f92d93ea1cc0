// The discard channel: what goes here is accepted and dropped. The journey says so.

import { LOCAL_DELIVERY } from '../local-delivery.ts';
import { type Outcome, outcome } from '../outcome.ts';
import type { LocalChannel } from './channel.ts';

/** Recipients of an operation. */
const DISCARD_SLICE = 200;

const DISCARDED = outcome('delivered', '2.0.0', 'discarded');
const IN_THE_WRITER: Outcome = { ...DISCARDED, operation: { name: LOCAL_DELIVERY, args: {} } };

export const discardChannel: LocalChannel = {
  name: 'discard',
  isLocal: true,
  recipientsMax: DISCARD_SLICE,
  keeps: false,
  deliver: ({ targets }) => Promise.resolve({ outcomes: targets.map(() => IN_THE_WRITER) }),
  write: (_tx, _message, targets) => targets.map(() => DISCARDED),
};
