// A message is accepted: one transaction decides for each recipient whether it is delivered here or queued, and does it.
// Part of submit.ts, the half that runs in the writer.
//
// In      a message whose bytes are synced, its envelope, and each recipient's resolution with the revision it was read at
// Out     references in mailboxes, queue rows for recipients at other hosts, the journey; all or nothing
// Order   a row of the routing tables has moved since the resolutions were read -> they are made again, in this transaction
// RFC 5321 §4.5.4.1, §6.1

import type { PublishedRevision } from '../base/ids.ts';
import type { Reply } from '../base/reply.ts';
import type { Transaction } from '../database/operation.ts';
import { formatSender } from '../message/envelope.ts';
import type { PartOf } from '../routing/options/part.ts';
import type { RouteRequest } from '../routing/resolve.ts';
import type { MessageRow } from '../store/messages.ts';
import { beginJourney, type JourneyEvent, type JourneyOrigin } from './journey.ts';
import { decodeMail } from './mail-text.ts';
import { type PlacedMail, type PlacedRecipient, type PlaceParts, place, type Resolved } from './place.ts';

export interface AcceptArguments {
  readonly message: MessageRow;
  /** Envelope, request and resolutions: see mail-text.ts. */
  readonly mail: string;
  /** What the resolutions hold for. */
  readonly revision: PublishedRevision;
  /** What every recipient gets, whatever routing says; undefined as a rule. */
  readonly refusal: Reply | undefined;
  readonly refused: PlacedMail['refused'];
  /** Without brackets. */
  readonly messageId: string | undefined;
  readonly at: number;
  /** Of recipients with several delivery options only this one acts. */
  readonly part?: PartOf;
}

export interface Accepted {
  /** What recipients got, each kind once: most messages have one. */
  readonly kinds: readonly PlacedRecipient[];
  /** One for each recipient, in order: its number in `kinds`. */
  readonly results: readonly number[];
  /** Copies in mailboxes, and queue rows. */
  readonly delivered: number;
  readonly queued: number;
}

export async function accept(tx: Transaction, args: AcceptArguments, parts: PlaceParts): Promise<Accepted> {
  const { message, refusal, refused, at, part } = args;
  const { envelope, request, resolutions } = decodeMail(args.mail);
  const placed = await place(tx, parts, {
    message: { id: message.id, received: message.received, sizeBytes: message.blob.length },
    row: message,
    envelope,
    request,
    resolutions:
      refusal === undefined ? held(tx, args, resolutions) : envelope.recipients.map(() => refusedWith(refusal)),
    refused,
    at,
    ...(part === undefined ? {} : { parts: envelope.recipients.map(() => part) }),
  });
  const { delivered, queued } = placed;
  if (delivered + queued > 0)
    await beginJourney(tx, message.id, at, args.messageId, [
      ...withOrigin(placed.accepted, originOf(request, message.blob.length)),
      ...placed.events,
    ]);
  return { ...byKind(placed.results), delivered, queued };
}

function held(
  tx: Transaction,
  { revision }: AcceptArguments,
  resolutions: readonly Resolved[],
): PlacedMail['resolutions'] {
  return (tx.routingRevision | 0) === revision ? resolutions : undefined;
}

function withOrigin([first, ...more]: readonly JourneyEvent[], origin: JourneyOrigin): JourneyEvent[] {
  return first === undefined ? [] : [{ ...first, origin }, ...more];
}

function originOf({ sender, caller, door }: RouteRequest, sizeBytes: number): JourneyOrigin {
  const from = { sender: formatSender(sender), door, sizeBytes };
  return caller.kind === 'entry' || caller.kind === 'administrator' ? { ...from, login: caller.dn } : from;
}

function byKind(placed: readonly PlacedRecipient[]): Pick<Accepted, 'kinds' | 'results'> {
  const kinds: PlacedRecipient[] = [];
  const results = placed.map((one) => {
    const known = kinds.findIndex(({ reply, how }) => reply === one.reply && how === one.how);
    return known < 0 ? kinds.push(one) - 1 : known;
  });
  return { kinds, results };
}

function refusedWith(reply: Reply): Resolved {
  return { targets: [], reply, failures: [] };
}
