// A mail on its way to the writer, as one text: envelope, request, and what routing has said of each recipient.
//
// Text, because reading it costs a third of what the same objects cost as a message between threads. It holds each reply
// once and no address twice: with twenty recipients that is half of it.

import type { Json, JsonObject } from '../base/json.ts';
import type { Reply } from '../base/reply.ts';
import type { Address } from '../message/address.ts';
import { decodeAddress, decodeEnvelope, type Envelope, encodeAddress, encodeEnvelope } from '../message/envelope.ts';
import type { RouteRequest, Target } from '../routing/resolve.ts';
import { decodeRouteRequest, encodeRouteRequest } from '../routing/route-request.ts';
import type { Resolved } from './place.ts';

export interface Mail {
  readonly envelope: Envelope;
  readonly request: RouteRequest;
  /** One for each recipient, in order. */
  readonly resolutions: readonly Resolved[];
}

/** `null`: the recipient's own address. */
type TargetText = readonly [channel: string, destination: string, key: string, options: JsonObject, recipient: Json];
type FailureText = readonly [reply: number, recipient: Json];
/** Replies by their number in the list of them. */
type ResolvedText = readonly [reply: number, targets: readonly TargetText[], failures: readonly FailureText[]];

interface MailText {
  readonly envelope: JsonObject;
  readonly request: JsonObject;
  readonly replies: readonly Reply[];
  readonly resolutions: readonly ResolvedText[];
}

export function encodeMail({ envelope, request, resolutions }: Mail): string {
  const replies: Reply[] = [];
  const numberOf = (reply: Reply): number => {
    const known = replies.indexOf(reply);
    return known < 0 ? replies.push(reply) - 1 : known;
  };
  const text: MailText = {
    envelope: encodeEnvelope(envelope),
    request: encodeRouteRequest(request),
    replies,
    resolutions: resolutions.map(({ reply, targets, failures }, index) => {
      const own = envelope.recipients[index]!.address;
      return [
        numberOf(reply),
        targets.map((target) => encodeTarget(target, own)),
        failures.map((failure) => [numberOf(failure.reply), encodeAddress(failure.recipient)]),
      ];
    }),
  };
  return JSON.stringify(text);
}

function encodeTarget({ channel, destination, key, options, recipient }: Target, own: Address): TargetText {
  return [channel, destination, key, options, recipient === own ? null : encodeAddress(recipient)];
}

/** Of a text that encodeMail has made. */
export function decodeMail(given: string): Mail {
  const { envelope: encoded, request, replies, resolutions } = JSON.parse(given) as MailText;
  const envelope = decodeEnvelope(encoded);
  return {
    envelope,
    request: decodeRouteRequest(request),
    resolutions: resolutions.map(([reply, targets, failures], index) => {
      const own = envelope.recipients[index]!.address;
      return {
        reply: replies[reply]!,
        targets: targets.map((target) => decodeTarget(target, own)),
        failures: failures.map(([failed, recipient]) => ({
          reply: replies[failed]!,
          recipient: decodeAddress(recipient)!,
        })),
      };
    }),
  };
}

function decodeTarget([channel, destination, key, options, recipient]: TargetText, own: Address): Target {
  return { channel, destination, key, options, recipient: decodeAddress(recipient) ?? own };
}
