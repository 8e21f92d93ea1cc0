// What of an envelope is said to a host, and what has to become of the message, by what that host offers.
//
// In      the envelope; what EHLO has offered, how the connection is protected, the time
// Out     what MAIL and RCPT say, what the bytes must become before, who cannot be reached by this host; or one outcome for all
//
//   lacks        then
//   8BITMIME     the bytes become 7-bit
//   SMTPUTF8     the header becomes ASCII; an address beyond ASCII, whether or not the message came with SMTPUTF8: failed 5.6.7
//   DSN          NOTIFY, ORCPT, RET and ENVID end here: who asked for success is told that it was relayed
//   DELIVERBY    R: failed 5.4.7; N: sent without, and who has sent it is told that it was relayed
//   MT-PRIORITY  sent without
//   REQUIRETLS   failed 5.7.30, and where the host's certificate was not verified
//
// With BY and its trace word who has sent it is told of each host that it is relayed to, whatever that host offers. A future release is
// kept here, whatever the host offers.
// RFC 6152 §3, RFC 6531 §3.6, RFC 3461 §5.2, RFC 2852 §4, RFC 8689 §4.2

import { isBeyondAscii } from '../../message/address.ts';
import type { BodyKind, DeliverBy, Envelope, MailParameters, Recipient } from '../../message/envelope.ts';
import type { Capabilities } from '../../wire/smtp/client.ts';
import { type Outcome, outcome } from '../outcome.ts';
import type { Need } from './converted.ts';

export interface NextHost {
  readonly offered: Capabilities;
  readonly tls: { readonly isVerified: boolean } | undefined;
  /** Wall clock, epoch milliseconds. */
  readonly now: number;
  /** Its name in outcomes. */
  readonly remote: string;
}

export type Fit =
  | {
      readonly send: MailParameters & { readonly body: BodyKind };
      /** Those that MAIL's parameters let be named, in order. */
      readonly recipients: readonly Recipient[];
      /** What all others get. */
      readonly others?: Outcome;
      readonly needs?: Need;
      /** Reports that are asked for are ours to make: it was relayed. */
      readonly relayed: boolean;
      /** It is reported that it was relayed, to all senders but those that want no report at all. */
      readonly traced: boolean;
    }
  | { readonly refused: Outcome };

export function fitOf(envelope: Envelope, hop: NextHost): Fit {
  const { offered, remote } = hop;
  const { requireTls, by } = envelope;
  if (requireTls === true && !(offered.requireTls && hop.tls?.isVerified === true))
    return { refused: outcome('failed', '5.7.30', `${remote} does not promise TLS, and this message requires it`) };
  if (by?.mode === 'R' && !canBeThere(by, hop))
    return { refused: outcome('failed', '5.4.7', `${remote} does not promise delivery in time, and it is wanted`) };
  const isUtf8 = envelope.isUtf8 === true || hasBeyondAscii(envelope);
  const isNarrowed = isUtf8 && !offered.smtpUtf8;
  if (isNarrowed && envelope.sender !== undefined && isBeyondAscii(envelope.sender))
    return { refused: beyondAscii(remote) };
  const recipients = isNarrowed
    ? envelope.recipients.filter(({ address }) => !isBeyondAscii(address))
    : envelope.recipients;
  if (recipients.length === 0) return { refused: beyondAscii(remote) };
  // The bytes of a message that came without SMTPUTF8 are as ASCII as they were.
  const needsAscii = isNarrowed && envelope.isUtf8 === true;
  const needsSevenBit = envelope.body === '8BITMIME' && !offered.eightBitMime;
  return {
    send: sent(isUtf8 ? { ...envelope, isUtf8 } : envelope, hop),
    recipients: offered.dsn ? recipients : recipients.map(withoutWishes),
    ...(recipients.length < envelope.recipients.length ? { others: beyondAscii(remote) } : {}),
    ...(needsAscii ? { needs: needsSevenBit ? 'both' : 'ascii' } : needsSevenBit ? { needs: 'seven-bit' } : {}),
    relayed: !offered.dsn,
    traced: by !== undefined && (by.trace === true || offered.deliverBy === undefined),
  };
}

/** A list's member, or where somebody forwards to: who has sent the message need not have said SMTPUTF8. */
function hasBeyondAscii({ sender, recipients }: Envelope): boolean {
  return (sender !== undefined && isBeyondAscii(sender)) || recipients.some(({ address }) => isBeyondAscii(address));
}

function sent(envelope: Envelope, hop: NextHost): MailParameters & { readonly body: BodyKind } {
  const { isUtf8, ret, envid, requireTls, by, priority } = envelope;
  const { offered } = hop;
  return {
    body: offered.eightBitMime ? envelope.body : '7BIT',
    ...(isUtf8 === true && offered.smtpUtf8 ? { isUtf8 } : {}),
    ...(ret !== undefined && offered.dsn ? { ret } : {}),
    ...(envid !== undefined && offered.dsn ? { envid } : {}),
    ...(requireTls === true ? { requireTls } : {}),
    ...(by !== undefined && canBeThere(by, hop) ? { by } : {}),
    ...(priority !== undefined && offered.priority ? { priority } : {}),
  };
}

/** It takes a time at all, and needs no more than there is. */
function canBeThere({ at, mode }: DeliverBy, { offered, now }: NextHost): boolean {
  const least = offered.deliverBy;
  return least !== undefined && (mode === 'N' || (at > now && at - now >= least * 1000));
}

function beyondAscii(remote: string): Outcome {
  return outcome('failed', '5.6.7', `${remote} takes no addresses beyond ASCII, and this message has some`);
}

function withoutWishes({ address, original }: Recipient): Recipient {
  return original === undefined ? { address } : { address, original };
}
