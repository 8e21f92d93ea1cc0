// The store channel: recipients who are ours, delivered into their mailboxes.
//
// In      recipients of one message, at most STORE_SLICE
// Out     references in mailboxes, in the transaction that accepts the message or ends its rows, so that a crash repeats
//         nothing
// Never   waits for anything but the transaction

import { type AccountId, idOf, type MailboxId } from '../../base/ids.ts';
import type { Reader, Transaction } from '../../database/operation.ts';
import type { Target } from '../../routing/targets.ts';
import { type DeliveredMessage, type DeliveryMailbox, deliverToMailboxes } from '../../store/deliver.ts';
import { decodeQuota, hasRoom, noteNearness, percentOf, roomIn } from '../../store/quota.ts';
import { LOCAL_DELIVERY } from '../local-delivery.ts';
import { type Outcome, outcome } from '../outcome.ts';
import type { LocalChannel, WrittenMessage } from './channel.ts';

/** Recipients of an operation: some milliseconds of the writer. */
const STORE_SLICE = 200;

const DELIVERED = outcome('delivered', '2.1.5', 'mailbox');
const NO_MAILBOX = outcome('deferred', '4.3.0', 'The mailbox is not there');
const FULL = outcome('deferred', '4.2.2', 'The mailbox is full');
const IN_THE_WRITER: Outcome = { ...DELIVERED, operation: { name: LOCAL_DELIVERY, args: {} } };

export const storeChannel = storeChannelOf({ warnPercent: 90 });

/** `warnPercent`: of a limit; who has so much is warned. */
export function storeChannelOf({ warnPercent }: { readonly warnPercent: number }): LocalChannel {
  return {
    name: 'store',
    isLocal: true,
    recipientsMax: STORE_SLICE,
    keeps: true,
    deliver: ({ targets }) => Promise.resolve({ outcomes: targets.map(() => IN_THE_WRITER) }),
    write: (tx, message, targets) => writeAll(tx, message, targets, warnPercent),
  };
}

async function writeAll(
  tx: Transaction,
  message: WrittenMessage,
  targets: readonly Target[],
  warnPercent: number,
): Promise<Outcome[]> {
  const delivered = { ...message, size: message.sizeBytes };
  if (targets.every(({ options }) => options['quota'] === undefined)) {
    const found = await deliverToMailboxes(tx, delivered, targets.map(mailboxOf));
    return found.map((isThere) => (isThere ? DELIVERED : NO_MAILBOX));
  }
  // One after another: accounts of one domain fill it together.
  const outcomes: Outcome[] = [];
  for (const target of targets) outcomes.push(await writeWithin(tx, delivered, target, warnPercent));
  return outcomes;
}

/** Whether a target can take so many octets now, as far as its channel can say: of one without a limit, yes. */
export function hasRoomFor(reader: Reader, { options }: Target, octets = 0): boolean {
  const quota = decodeQuota(options['quota']);
  return quota === undefined || hasRoom(reader, idOf<AccountId>(options['account']), quota, { octets, messages: 1 });
}

/** Where its owner has a limit. */
async function writeWithin(
  tx: Transaction,
  message: DeliveredMessage,
  target: Target,
  warnPercent: number,
): Promise<Outcome> {
  const mailbox = mailboxOf(target);
  const quota = decodeQuota(target.options['quota']);
  const more = { octets: message.size, messages: 1 };
  const use = quota && (await roomIn(tx, mailbox.owner, quota, more));
  if (quota !== undefined && use === undefined) return FULL;
  const [isThere] = await deliverToMailboxes(tx, message, [mailbox]);
  if (!isThere) return NO_MAILBOX;
  if (quota !== undefined && use !== undefined) {
    const after = { octets: use.octets + more.octets, messages: use.messages + 1 };
    await noteNearness(tx, mailbox.owner, { before: percentOf(quota, use), now: percentOf(quota, after), warnPercent });
  }
  return DELIVERED;
}

/** The options of a target, as routing makes them (routing/targets.ts). */
function mailboxOf({ options }: Target): DeliveryMailbox {
  const { account, mailbox, flags } = options;
  return {
    owner: idOf<AccountId>(account),
    ...(mailbox === undefined ? {} : { mailbox: idOf<MailboxId>(mailbox) }),
    ...(flags === undefined ? {} : { flags: Number(flags) }),
  };
}
