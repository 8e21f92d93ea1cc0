// The reprocess channel: recipients who are resolved again, because what was known of them holds no more or not yet. What
// that leads to is done in the same transaction: a reference in a mailbox, a row of another channel, a refusal.
//
// In      recipients of one message, at most REPROCESS_SLICE
// Out     for each the name of the operation that does it

import { LOCAL_DELIVERY } from '../local-delivery.ts';
import { type Outcome, outcome } from '../outcome.ts';
import type { Channel } from './channel.ts';

/** Recipients of an operation: some milliseconds of the writer. */
const REPROCESS_SLICE = 200;

const IN_THE_WRITER: Outcome = {
  ...outcome('delivered', '2.1.5', 'resolved again'),
  operation: { name: LOCAL_DELIVERY, args: {} },
};

export const reprocessChannel: Channel = {
  name: 'reprocess',
  isLocal: true,
  recipientsMax: REPROCESS_SLICE,
  deliver: ({ targets }) => Promise.resolve({ outcomes: targets.map(() => IN_THE_WRITER) }),
};
