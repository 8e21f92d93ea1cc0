// A message is taken: one transaction decides for each recipient whether it is delivered here or queued, and does it.
//
// In      a message whose bytes are synced, its envelope, and each recipient's resolution with the revision it was read at
// Out     references in mailboxes, queue rows for whoever is elsewhere, the journey; all or nothing
// Order   the directory has changed since the resolutions were read -> they are made again, in this transaction
// Errors  nobody is left who can get it: `not-found` (550 5.1.1), or `unavailable` when somebody may be later
// Limits  more than LOCAL_RECIPIENTS_IN_ACCEPT local targets become queue rows of the `store` channel
// RFC 5321 §4.5.4.1, §6.1

import { Failure } from '../base/failure.ts';
import { LOCAL_RECIPIENTS_IN_ACCEPT } from '../base/limits.ts';
import { type Operation, operation, type Transaction } from '../database/operation.ts';
import { parseAddress } from '../message/address.ts';
import type { BodyKind } from '../message/envelope.ts';
import { isAccepted, isTemporary, type Reply } from '../routing/replies.ts';
import type { Resolution, Site, StoreTarget, Target } from '../routing/resolve.ts';
import { resolveIn } from '../routing/resolve-in.ts';
import { deliverToInboxes, insertMessage } from '../store/deliver.ts';
import type { MessageRow } from '../store/messages.ts';
import { beginJourney, type JourneyEvent } from './journey.ts';
import { insertQueueRow } from './queue.ts';

/** One RCPT TO. */
export interface AcceptedRecipient {
  /** As SMTP writes it. */
  readonly address: string;
  /** As the client wrote it. */
  readonly original: string;
  readonly resolution: Pick<Resolution, 'targets' | 'reply' | 'relay' | 'failures'>;
}

export interface AcceptArguments {
  readonly message: MessageRow;
  /** `''` for the null reverse-path. */
  readonly sender: string;
  readonly body: BodyKind;
  /** Without brackets. */
  readonly messageId: string | undefined;
  readonly recipients: readonly AcceptedRecipient[];
  /** Low 32 bits of the directory revision that the resolutions hold for. */
  readonly revision: number;
  /** The peer may send to foreign domains. */
  readonly mayRelay: boolean;
  readonly at: number;
}

export interface Accepted {
  readonly delivered: number;
  readonly queued: number;
}

/** `site` names this host, for resolutions made again. */
export function acceptOperation(site: Site): Operation<AcceptArguments, Accepted> {
  return operation('transfer.accept', (tx, args) => accept(tx, args, site));
}

interface Failed {
  readonly recipient: string;
  readonly original: string;
  readonly reply: Reply;
}

async function accept(tx: Transaction, args: AcceptArguments, site: Site): Promise<Accepted> {
  const recipients =
    (tx.revision | 0) === args.revision ? args.recipients : await resolveAgain(tx, args.recipients, site);
  const targets = new Map<string, Target & { readonly original: string }>();
  const failed: Failed[] = [];
  const events: JourneyEvent[] = [];
  for (const { address, original, resolution } of recipients) {
    const reply = resolution.relay && !args.mayRelay ? GONE : resolution.reply;
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
  if (targets.size === 0) refuse(failed);
  const local = [...targets.values()].filter((target) => target.channel === 'store');
  const atOnce = local.length <= LOCAL_RECIPIENTS_IN_ACCEPT ? local : [];
  const queued = targets.size - atOnce.length + failed.length;
  await insertMessage(tx, args.message, atOnce.length + queued);
  const missing = new Set(await deliver(tx, args.message, atOnce));
  if (missing.size > 0) throw new Error(`accounts without an INBOX: ${[...missing].join(' ')}`);
  for (const target of atOnce)
    events.push({ event: 'delivered', recipient: target.recipient, status: '2.1.5 mailbox' });
  for (const target of targets.values()) {
    if (target.channel === 'store' && atOnce.length > 0) continue;
    await insertQueueRow(tx, {
      message: args.message.id,
      channel: target.channel,
      destination: target.channel === 'smtp' ? target.nexthop : '',
      sender: args.sender,
      recipient: target.recipient,
      original: target.original,
      options: { body: args.body },
      state: 'waiting',
      at: args.at,
      status: undefined,
      error: undefined,
    });
    events.push({ event: 'queued', recipient: target.recipient, status: `2.0.0 channel ${target.channel}` });
  }
  for (const { recipient, original, reply } of failed) {
    const temporary = isTemporary(reply);
    await insertQueueRow(tx, {
      message: args.message.id,
      channel: 'store',
      destination: '',
      sender: args.sender,
      recipient,
      original,
      options: { body: args.body },
      state: temporary ? 'waiting' : 'failed',
      at: args.at,
      status: reply.enhanced,
      error: `${reply.code} ${reply.enhanced} ${reply.text}`,
    });
    events.push({
      event: temporary ? 'queued' : 'failed',
      recipient,
      status: `${reply.enhanced} ${reply.text}`,
    });
  }
  if (queued > 0) tx.afterCommit({ kind: 'queue' });
  await beginJourney(tx, args.message.id, args.at, args.messageId, events);
  return { delivered: atOnce.length, queued };
}

function deliver(tx: Transaction, message: MessageRow, targets: readonly StoreTarget[]): Promise<number[]> {
  if (targets.length === 0) return Promise.resolve([]);
  return deliverToInboxes(
    tx,
    { id: message.id, received: message.received, size: message.blob.length },
    targets.map((target) => target.account),
  );
}

const GONE: Reply = { code: 550, enhanced: '5.1.1', text: 'No such recipient here any more' };

function refuse(failed: readonly Failed[]): never {
  const temporary = failed.find((failure) => isTemporary(failure.reply));
  if (temporary !== undefined) throw new Failure('unavailable', temporary.reply.text);
  throw new Failure('not-found', failed[0]?.reply.text ?? GONE.text);
}

async function resolveAgain(
  tx: Transaction,
  recipients: readonly AcceptedRecipient[],
  site: Site,
): Promise<AcceptedRecipient[]> {
  const again: AcceptedRecipient[] = [];
  for (const { address, original } of recipients)
    again.push({ address, original, resolution: await resolveIn(tx, parseRecipient(address), site) });
  return again;
}

/** `postmaster` alone has no domain. */
function parseRecipient(address: string): ReturnType<typeof parseAddress> {
  return address.includes('@') ? parseAddress(address) : { localPart: address, domain: '' };
}
