// A message is accepted: one transaction decides for each recipient whether it is delivered here or queued, and does it.
// Part of submit.ts, the half that runs in the writer.
//
// In      a message whose bytes are synced, its envelope, and each recipient's resolution with the revision it was read at
// Out     references in mailboxes, queue rows for whoever is elsewhere, the journey; all or nothing
// Order   the directory has changed since the resolutions were read -> they are made again, in this transaction
// RFC 5321 §4.5.4.1, §6.1

import type { PublishedRevision } from '../base/ids.ts';
import type { Json, JsonObject } from '../base/json.ts';
import type { Reply } from '../base/reply.ts';
import { type Operation, operation, type Transaction } from '../database/operation.ts';
import { decodeEnvelope, type Envelope, encodeEnvelope } from '../message/envelope.ts';
import type { RouteRequest } from '../routing/resolve.ts';
import { decodeRouteRequest, encodeRouteRequest } from '../routing/route-request.ts';
import type { MessageRow } from '../store/messages.ts';
import { beginJourney } from './journey.ts';
import { type PlacedMail, type PlacedRecipient, type PlaceParts, place, type Resolved } from './place.ts';

export interface AcceptArguments {
  readonly message: MessageRow;
  /** Envelope, request and resolutions: see encodeMail. */
  readonly mail: string;
  /** What the resolutions hold for. */
  readonly revision: PublishedRevision;
  /** What every recipient gets, whatever routing says; undefined as a rule. */
  readonly refusal: Reply | undefined;
  readonly refused: PlacedMail['refused'];
  /** Without brackets. */
  readonly messageId: string | undefined;
  readonly at: number;
}

export interface Accepted {
  /** One for each recipient, in order. */
  readonly results: readonly PlacedRecipient[];
  /** Copies in mailboxes, and queue rows. */
  readonly delivered: number;
  readonly queued: number;
}

export function acceptOperation(parts: PlaceParts): Operation<AcceptArguments, Accepted> {
  return operation('transfer.accept', (tx, args) => accept(tx, args, parts));
}

export async function accept(tx: Transaction, args: AcceptArguments, parts: PlaceParts): Promise<Accepted> {
  const { message, refusal, refused, at } = args;
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
  });
  const { results, delivered, queued } = placed;
  if (delivered + queued > 0)
    await beginJourney(tx, message.id, at, args.messageId, [...placed.accepted, ...placed.events]);
  return { results, delivered, queued };
}

function held(
  tx: Transaction,
  { revision }: AcceptArguments,
  resolutions: readonly Resolved[],
): PlacedMail['resolutions'] {
  return (tx.revision | 0) === revision ? resolutions : undefined;
}

function refusedWith(reply: Reply): Resolved {
  return { targets: [], reply, failures: [] };
}

interface Mail {
  readonly envelope: Envelope;
  readonly request: RouteRequest;
  readonly resolutions: readonly Resolved[];
}

/** As text: that costs half of what the same objects cost on their way to another thread. */
export function encodeMail({ envelope, request, resolutions }: Mail): string {
  return JSON.stringify({
    envelope: encodeEnvelope(envelope),
    request: encodeRouteRequest(request),
    resolutions: resolutions.map(({ targets, reply, failures }) => ({ targets, reply, failures })),
  });
}

function decodeMail(text: string): Mail {
  const { envelope, request, resolutions } = JSON.parse(text) as JsonObject;
  return {
    envelope: decodeEnvelope(envelope),
    request: decodeRouteRequest(request),
    resolutions: resolutions as Json as unknown as readonly Resolved[],
  };
}
