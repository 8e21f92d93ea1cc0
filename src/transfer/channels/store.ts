// The store channel: recipients who are ours, delivered into their mailboxes.
//
// In      recipients of one message, at most STORE_SLICE
// Out     references in mailboxes, in the transaction that accepts the message or ends its rows, so that a crash repeats
//         nothing
// Never   waits for anything but the transaction

import { type AccountId, idOf } from '../../base/ids.ts';
import { deliverToInboxes } from '../../store/deliver.ts';
import { LOCAL_DELIVERY } from '../local-delivery.ts';
import { type Outcome, outcome } from '../outcome.ts';
import type { LocalChannel } from './channel.ts';

/** Recipients of an operation: some milliseconds of the writer. */
const STORE_SLICE = 200;

const DELIVERED = outcome('delivered', '2.1.5', 'mailbox');
const NO_INBOX = outcome('deferred', '4.3.0', 'The account has no INBOX');
const IN_THE_WRITER: Outcome = { ...DELIVERED, operation: { name: LOCAL_DELIVERY, args: {} } };

export const storeChannel: LocalChannel = {
  name: 'store',
  isLocal: true,
  recipientsMax: STORE_SLICE,
  deliver: ({ targets }) => Promise.resolve({ outcomes: targets.map(() => IN_THE_WRITER) }),
  async write(tx, message, targets) {
    const accounts = targets.map(({ options }) => idOf<AccountId>(options['account']));
    const missing = await deliverToInboxes(tx, { ...message, size: message.sizeBytes }, accounts);
    return accounts.map((account) => (missing.includes(account) ? NO_INBOX : DELIVERED));
  },
};
