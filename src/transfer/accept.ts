// A message is taken: one transaction decides for each recipient whether it is delivered here or queued, and does it.
//
// In      a message whose bytes are synced, its envelope, and each recipient's resolution with the revision it was read at
// Out     references in mailboxes, queue rows for whoever is elsewhere, the journey; all or nothing
// Order   the directory has changed since the resolutions were read -> they are made again, in this transaction
// Errors  nobody is left who can get it: `not-found` (550 5.1.1), or `unavailable` when somebody may be later
// RFC 5321 §4.5.4.1, §6.1

import { Failure } from '../base/failure.ts';
import { isTemporary } from '../base/reply.ts';
import { type Operation, operation, type Transaction } from '../database/operation.ts';
import type { BodyKind } from '../message/envelope.ts';
import type { Site } from '../routing/resolve.ts';
import { resolveIn } from '../routing/resolve-in.ts';
import { insertMessage } from '../store/deliver.ts';
import type { MessageRow } from '../store/messages.ts';
import { beginJourney } from './journey.ts';
import { type AcceptedRecipient, type FailedRecipient, GONE, gather, parseRecipient, place } from './place.ts';

export type { AcceptedRecipient } from './place.ts';

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

async function accept(tx: Transaction, args: AcceptArguments, site: Site): Promise<Accepted> {
  const { message, sender, body, at } = args;
  const recipients =
    (tx.revision | 0) === args.revision ? args.recipients : await resolveAgain(tx, args.recipients, site);
  const gathered = gather(recipients, args.mayRelay);
  const { targets, failed } = gathered;
  if (targets.length === 0) refuse(failed);
  await insertMessage(tx, message, targets.length + failed.length);
  const placed = { id: message.id, received: message.received, size: message.blob.length, sender, body };
  const { delivered, queued, events } = await place(tx, placed, gathered, at);
  await beginJourney(tx, message.id, at, args.messageId, [...gathered.events, ...events]);
  return { delivered, queued };
}

function refuse(failed: readonly FailedRecipient[]): never {
  const temporary = failed.find((failure) => isTemporary(failure.reply));
  const reply = (temporary ?? failed[0])?.reply ?? GONE;
  throw new Failure(temporary === undefined ? 'not-found' : 'unavailable', reply.text, { reply });
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
