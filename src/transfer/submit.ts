// The way in for every message: doors, reports to senders, and what channels make come through here.
//
// In      a message whose bytes are synced, its envelope, its caller and its door
// Out     one transaction (accept.ts) that delivers or queues it; a reply for each recipient, for a door to say
// Order   the revision is read before routing is asked, so that the transaction sees whether the answers still hold
// Errors  thrown only when nothing could be decided: the store is full, or does not answer. A refusal is a result
// RFC 5321 §6.1 §6.3, RFC 2033 §4.2

import type { Clock } from '../base/clock.ts';
import { idText, type PublishedRevision } from '../base/ids.ts';
import { RECEIVED_MAX } from '../base/limits.ts';
import type { Reply } from '../base/reply.ts';
import type { Caller } from '../directory/caller.ts';
import type { Envelope, Recipient } from '../message/envelope.ts';
import type { RoutingCache } from '../routing/cache.ts';
import type { PartOf } from '../routing/options/part.ts';
import { replies } from '../routing/replies.ts';
import type { Door, Resolution, RouteRequest } from '../routing/resolve.ts';
import type { Author } from '../routing/route-request.ts';
import type { TakenMessage } from '../store/intake.ts';
import type { AcceptArguments, Accepted } from './accept.ts';
import { encodeMail } from './mail-text.ts';
import type { PlacedRecipient } from './place.ts';

export interface Submission {
  readonly envelope: Envelope;
  /** The caller settles its `pending` when the submission has its outcome. */
  readonly message: TakenMessage;
  readonly caller: Caller;
  /** Foreign domains are allowed. */
  readonly mayRelay: boolean;
  readonly door: Door;
  /** The client's address, where there is a client. */
  readonly peer?: string | undefined;
  /** The message's octets as the client sent them; absent: as they are stored. */
  readonly sizeBytes?: number;
  /** Of recipients that are refused while others get it: a report goes to the sender, or their reply alone is given. */
  readonly refused: 'report' | 'return';
  /** What every recipient gets, whatever routing says: the message is not taken as it is. */
  readonly refusal?: Reply;
  /** Of recipients with several delivery options only this one acts. */
  readonly part?: PartOf;
  /** As a route request has them. */
  readonly channel?: string;
  readonly lists?: readonly number[];
  readonly custody?: readonly string[];
  readonly author?: Author;
}

export interface SubmittedRecipient extends PlacedRecipient {
  readonly recipient: Recipient;
}

export interface Submitted {
  /** The queue id, as Received, journey and log show it. */
  readonly id: string;
  /** One for each recipient, in order. All `refused`: nothing is kept of the message. */
  readonly results: readonly SubmittedRecipient[];
  /** For the log: copies in mailboxes, and queue rows. */
  readonly delivered: number;
  readonly queued: number;
}

export interface PrepareParts {
  readonly routing: RoutingCache;
  readonly revision: () => PublishedRevision;
  readonly clock: Clock;
}

export interface SubmitParts extends PrepareParts {
  /** Runs the operation that accepts it, and perhaps does more; `bytes`: a rough size of the arguments. */
  readonly commit: (args: AcceptArguments, bytes: number) => Promise<Accepted>;
}

export async function submit(parts: SubmitParts, submission: Submission): Promise<Submitted> {
  const args = await prepareAccept(parts, submission);
  const { kinds, results, delivered, queued } = await parts.commit(args, sizeOf(args));
  const { recipients } = submission.envelope;
  return {
    id: idText(args.message.id),
    results: results.map((kind, index) => ({ recipient: recipients[index]!, ...kinds[kind]! })),
    delivered,
    queued,
  };
}

/** All that is done before the transaction. */
export async function prepareAccept(parts: PrepareParts, submission: Submission): Promise<AcceptArguments> {
  const { envelope, message, caller, mayRelay, door, peer, refused, refusal, part, channel, lists, custody, author } =
    submission;
  const { row, parsed } = message;
  const { sizeBytes = row.blob.length } = submission;
  const revision = parts.revision();
  const request: RouteRequest = {
    sender: envelope.sender,
    caller,
    mayRelay,
    door,
    sizeBytes,
    ...(peer === undefined ? {} : { peer }),
    ...(channel === undefined ? {} : { channel }),
    ...(lists === undefined ? {} : { lists }),
    ...(custody === undefined ? {} : { custody }),
    ...(author === undefined ? {} : { author }),
  };
  const resolutions: Resolution[] = [];
  for (const { address } of envelope.recipients) {
    const resolution = parts.routing.resolve(address, request);
    resolutions.push('then' in resolution ? await resolution : resolution);
  }
  return {
    message: row,
    mail: encodeMail({ envelope, request, resolutions }),
    revision,
    refusal: parsed.receivedCount > RECEIVED_MAX ? replies.hopsExceeded : refusal,
    // A message that this program makes itself, or that was handed in, has no client that would get the replies: all refused, it is reported too.
    refused: refused === 'report' && (door === 'internal' || door === 'sendmail') ? 'always' : refused,
    messageId: parsed.messageId,
    at: parts.clock.now(),
    ...(part === undefined ? {} : { part }),
  };
}

/** A rough size, for the bound on what waits for the writer. */
export function sizeOf({ message, mail }: AcceptArguments): number {
  return 512 + message.header.length + message.structure.length + mail.length;
}

/** The one reply for a message that is refused for all: a temporary one if there is one, since a later attempt may succeed. */
export function refusalOf(results: readonly PlacedRecipient[]): Reply | undefined {
  if (results.some(({ how }) => how !== 'refused')) return undefined;
  return (results.find(({ reply }) => reply.code < 500) ?? results[0])?.reply;
}
