// Where a message goes: references in mailboxes for who is here, queue rows for who is elsewhere or cannot have it now.
//
// In      a message's row, which the caller inserts, and the resolutions of its recipients
// Out     rows of store and queue, the events that tell of them; called inside the operation that accepts it
// Limits  more than LOCAL_RECIPIENTS_IN_ACCEPT local targets become queue rows of the `store` channel
// RFC 5321 §4.5.4.1, §6.1

import { LOCAL_RECIPIENTS_IN_ACCEPT } from '../base/limits.ts';
import { isAccepted, isTemporary, type Reply } from '../base/reply.ts';
import type { Transaction } from '../database/operation.ts';
import { type Address, parseAddress } from '../message/address.ts';
import type { BodyKind } from '../message/envelope.ts';
import type { Resolution, StoreTarget, Target } from '../routing/resolve.ts';
import { deliverToInboxes } from '../store/deliver.ts';
import type { JourneyEvent } from './journey.ts';
import { insertQueueRow } from './queue.ts';

/** One RCPT TO. */
export interface AcceptedRecipient {
  /** As SMTP writes it. */
  readonly address: string;
  /** As the client wrote it; undefined when nobody wrote it. */
  readonly original: string | undefined;
  readonly resolution: Pick<Resolution, 'targets' | 'reply' | 'relay' | 'failures'>;
}

export interface FailedRecipient {
  readonly recipient: string;
  readonly original: string | undefined;
  readonly reply: Reply;
}

type PlacedTarget = Target & { readonly original: string | undefined };

/** What came of all recipients together: each account and each foreign address once. */
export interface Gathered {
  readonly targets: readonly PlacedTarget[];
  readonly failed: readonly FailedRecipient[];
  readonly events: readonly JourneyEvent[];
}

/** The recipient was there when the door asked. */
export const GONE: Reply = { code: 550, enhanced: '5.1.1', text: 'No such recipient here any more' };

/** `mayRelay`: foreign domains are allowed to this sender. */
export function gather(recipients: readonly AcceptedRecipient[], mayRelay: boolean): Gathered {
  const targets = new Map<string, PlacedTarget>();
  const failed: FailedRecipient[] = [];
  const events: JourneyEvent[] = [];
  for (const { address, original, resolution } of recipients) {
    const reply = resolution.relay && !mayRelay ? GONE : resolution.reply;
    if (!isAccepted(reply)) {
      failed.push({ recipient: address, original, reply });
      continue;
    }
    events.push({ event: 'accepted', recipient: address, status: `${reply.enhanced} ${reply.text}` });
    for (const target of resolution.targets) {
      const key = target.channel === 'store' ? target.account : `${target.nexthop} ${target.recipient}`;
      if (!targets.has(`${target.channel} ${key}`)) targets.set(`${target.channel} ${key}`, { ...target, original });
    }
    for (const member of resolution.failures)
      failed.push({ recipient: member.recipient, original: member.recipient, reply: member.reply });
  }
  return { targets: [...targets.values()], failed, events };
}

/** A message that is to be placed, and what its queue rows say of it. */
export interface PlacedMessage {
  readonly id: number;
  readonly received: number;
  readonly size: number;
  /** `''` for the null reverse-path. */
  readonly sender: string;
  readonly body: BodyKind;
}

export interface Placed {
  readonly delivered: number;
  readonly queued: number;
  readonly events: readonly JourneyEvent[];
}

/** The caller has counted a reference for each target and each failed recipient. */
export async function place(
  tx: Transaction,
  message: PlacedMessage,
  { targets, failed }: Gathered,
  at: number,
): Promise<Placed> {
  const events: JourneyEvent[] = [];
  const local = targets.filter((target) => target.channel === 'store');
  const atOnce = local.length <= LOCAL_RECIPIENTS_IN_ACCEPT ? local : [];
  await deliverAll(tx, message, atOnce);
  for (const { recipient } of atOnce) events.push({ event: 'delivered', recipient, status: '2.1.5 mailbox' });
  for (const target of targets) {
    if (target.channel === 'store' && atOnce.length > 0) continue;
    await insertQueueRow(tx, {
      message: message.id,
      channel: target.channel,
      destination: target.channel === 'smtp' ? target.nexthop : '',
      sender: message.sender,
      recipient: target.recipient,
      original: target.original,
      options: { body: message.body },
      state: 'waiting',
      at,
      status: undefined,
      error: undefined,
    });
    events.push({ event: 'queued', recipient: target.recipient, status: `2.0.0 channel ${target.channel}` });
  }
  for (const recipient of failed) events.push(await queueFailed(tx, message, recipient, at));
  const queued = targets.length - atOnce.length + failed.length;
  if (queued > 0) tx.afterCommit({ kind: 'queue' });
  return { delivered: atOnce.length, queued, events };
}

async function deliverAll(tx: Transaction, message: PlacedMessage, targets: readonly StoreTarget[]): Promise<void> {
  if (targets.length === 0) return;
  const accounts = targets.map((target) => target.account);
  const missing = await deliverToInboxes(tx, message, accounts);
  if (missing.length > 0) throw new Error(`accounts without an INBOX: ${missing.join(' ')}`);
}

/** One that may be reached later is resolved again when its row is due; for the others the sender gets a report. */
async function queueFailed(
  tx: Transaction,
  message: PlacedMessage,
  { recipient, original, reply }: FailedRecipient,
  at: number,
): Promise<JourneyEvent> {
  const isLater = isTemporary(reply);
  await insertQueueRow(tx, {
    message: message.id,
    channel: 'store',
    destination: '',
    sender: message.sender,
    recipient,
    original,
    options: { body: message.body },
    state: isLater ? 'waiting' : 'failed',
    at,
    status: reply.enhanced,
    error: `${reply.code} ${reply.enhanced} ${reply.text}`,
  });
  return { event: isLater ? 'queued' : 'failed', recipient, status: `${reply.enhanced} ${reply.text}` };
}

/** A recipient as tables hold it; `postmaster` alone has no domain. */
export function parseRecipient(address: string): Address {
  return address.includes('@') ? parseAddress(address) : { localPart: address, domain: '' };
}
