// The store channel: recipients who are ours, delivered into their mailboxes.
//
// In      recipients of one message, at most STORE_SLICE
// Out     references in mailboxes, in the transaction that accepts the message or ends its rows, so that a crash repeats
//         nothing
// Never   waits for anything but the transaction

import { type AccountId, idOf, type MailboxId } from '../../base/ids.ts';
import type { Target } from '../../routing/targets.ts';
import { type DeliveryMailbox, deliverToMailboxes } from '../../store/deliver.ts';
import { LOCAL_DELIVERY } from '../local-delivery.ts';
import { type Outcome, outcome } from '../outcome.ts';
import type { LocalChannel } from './channel.ts';

/** Recipients of an operation: some milliseconds of the writer. */
const STORE_SLICE = 200;

const DELIVERED = outcome('delivered', '2.1.5', 'mailbox');
const NO_MAILBOX = outcome('deferred', '4.3.0', 'The mailbox is not there');
const IN_THE_WRITER: Outcome = { ...DELIVERED, operation: { name: LOCAL_DELIVERY, args: {} } };

export const storeChannel: LocalChannel = {
  name: 'store',
  isLocal: true,
  recipientsMax: STORE_SLICE,
  keeps: true,
  deliver: ({ targets }) => Promise.resolve({ outcomes: targets.map(() => IN_THE_WRITER) }),
  async write(tx, message, targets) {
    const found = await deliverToMailboxes(tx, { ...message, size: message.sizeBytes }, targets.map(mailboxOf));
    return found.map((isThere) => (isThere ? DELIVERED : NO_MAILBOX));
  },
};

/** The options of a target, as routing makes them (routing/targets.ts). */
function mailboxOf({ options }: Target): DeliveryMailbox {
  const { account, mailbox, flags } = options;
  return {
    owner: idOf<AccountId>(account),
    ...(mailbox === undefined ? {} : { mailbox: idOf<MailboxId>(mailbox) }),
    ...(flags === undefined ? {} : { flags: Number(flags) }),
  };
}
