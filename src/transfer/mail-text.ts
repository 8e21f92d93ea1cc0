// A mail on its way to the writer, as one text: envelope, request, and what routing has said of each recipient.
//
// Text, because reading it costs a third of what the same objects cost as a message between threads. It holds each reply
// once and no address twice: with twenty recipients that is half of it. Of a recipient who wants nothing special and has a mailbox
// here, as nearly all, there is the address as it was written and the number of the account: a quarter of what is left.

import { type AccountId, idOf } from '../base/ids.ts';
import type { Json, JsonObject } from '../base/json.ts';
import type { Reply } from '../base/reply.ts';
import type { Address } from '../message/address.ts';
import {
  decodeAddress,
  decodeEnvelope,
  type Envelope,
  encodeAddress,
  encodeEnvelope,
  type Recipient,
} from '../message/envelope.ts';
import type { RouteRequest, Target } from '../routing/resolve.ts';
import { decodeRouteRequest, encodeRouteRequest } from '../routing/route-request.ts';
import { mailboxTarget } from '../routing/targets.ts';
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
/** Replies by their number in the list of them. Two numbers: the mailbox of this account, the recipient's own. */
type ResolvedText =
  | readonly [reply: number, account: number]
  | readonly [reply: number, targets: readonly TargetText[], failures: readonly FailureText[]];

interface MailText {
  /** Its recipients are those that are no text in `recipients`. */
  readonly envelope: JsonObject;
  /** `original`, where it is the address and there is nothing else; null: the next one of the envelope. */
  readonly recipients: readonly (string | null)[];
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
  const recipients = envelope.recipients.map(plainRecipient);
  const text: MailText = {
    envelope: encodeEnvelope({
      ...envelope,
      recipients: envelope.recipients.filter((_, index) => recipients[index] === null),
    }),
    recipients,
    request: encodeRouteRequest(request),
    replies,
    resolutions: resolutions.map((resolved, index) => {
      const { reply, targets, failures } = resolved;
      const own = envelope.recipients[index]!.address;
      const account = plainAccount(resolved, own);
      if (account !== undefined) return [numberOf(reply), account];
      return [
        numberOf(reply),
        targets.map((target) => encodeTarget(target, own)),
        failures.map((failure) => [numberOf(failure.reply), encodeAddress(failure.recipient)]),
      ];
    }),
  };
  return JSON.stringify(text);
}

function plainRecipient(recipient: Recipient): string | null {
  const { address, original } = recipient;
  const isPlain =
    original !== undefined &&
    original === `${address.localPart}@${address.domain}` &&
    Object.keys(recipient).length === 2;
  return isPlain ? original : null;
}

function decodePlainRecipient(original: string): Recipient {
  const at = original.lastIndexOf('@');
  return { address: { localPart: original.slice(0, at), domain: original.slice(at + 1) }, original };
}

/** Whose mailbox it is, where there is no more to be said. */
function plainAccount({ targets, failures }: Resolved, own: Address): number | undefined {
  const [target] = targets;
  if (target === undefined || targets.length > 1 || failures.length > 0 || target.recipient !== own) return undefined;
  const { account } = target.options;
  if (typeof account !== 'number' || Object.keys(target.options).length > 1) return undefined;
  const { channel, destination, key } = mailboxTarget(own, idOf<AccountId>(account));
  return target.channel === channel && target.destination === destination && target.key === key ? account : undefined;
}

function encodeTarget({ channel, destination, key, options, recipient }: Target, own: Address): TargetText {
  return [channel, destination, key, options, recipient === own ? null : encodeAddress(recipient)];
}

/** Of a text that encodeMail has made. */
export function decodeMail(given: string): Mail {
  const { envelope: encoded, recipients, request, replies, resolutions } = JSON.parse(given) as MailText;
  const decoded = decodeEnvelope(encoded);
  let others = 0;
  const envelope = {
    ...decoded,
    recipients: recipients.map((original) =>
      original === null ? decoded.recipients[others++]! : decodePlainRecipient(original),
    ),
  };
  return {
    envelope,
    request: decodeRouteRequest(request),
    resolutions: resolutions.map(([reply, targets, failures], index) => {
      const own = envelope.recipients[index]!.address;
      if (typeof targets === 'number')
        return { reply: replies[reply]!, targets: [mailboxTarget(own, idOf<AccountId>(targets))], failures: [] };
      return {
        reply: replies[reply]!,
        targets: targets.map((target) => decodeTarget(target, own)),
        failures: failures!.map(([failed, recipient]) => ({
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
