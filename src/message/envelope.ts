// The envelope of a message: what SMTP says of it, beside its bytes. The only type for it, and the only codec: rows of the
// queue and messages between threads hold what encodeEnvelope gives.
//
// In      values of a door, of a report, of a channel; JSON that this codec has written
// Out     the same values; Failure('invalid') for JSON that is no envelope
// In JSON an address is `[local part, domain]`, so that nothing is parsed and nothing is lost on the way.
// A key that is added here is added to both halves of the codec; envelope.test.ts takes each of them there and back.
// RFC 5321 §2.3.1, RFC 6152 §2 (BODY)

import { Failure } from '../base/failure.ts';
import type { Json, JsonObject } from '../base/json.ts';
import { type Address, formatAddress } from './address.ts';

/** What MAIL FROM said of the bytes; `7BIT` when it said nothing. */
export type BodyKind = '7BIT' | '8BITMIME';

export interface Recipient {
  readonly address: Address;
  /** As the client wrote it, for the DSN's Original-Recipient and for people; absent where no client did. */
  readonly original?: string;
}

export interface Envelope {
  /** Undefined for the null reverse-path `<>`: a failure is reported to the site postmaster. */
  readonly sender: Address | undefined;
  readonly recipients: readonly Recipient[];
  readonly body: BodyKind;
}

export function encodeEnvelope({ sender, recipients, body }: Envelope): JsonObject {
  return { sender: encodeAddress(sender), recipients: recipients.map(encodeRecipient), body };
}

export function decodeEnvelope(json: Json | undefined): Envelope {
  const { sender, recipients, body } = objectOf(json);
  if (!Array.isArray(recipients) || (body !== '7BIT' && body !== '8BITMIME')) throw notAnEnvelope();
  return { sender: decodeAddress(sender), recipients: recipients.map(decodeRecipient), body };
}

function encodeRecipient({ address, original }: Recipient): JsonObject {
  const encoded = { address: encodeAddress(address) };
  return original === undefined ? encoded : { ...encoded, original };
}

function decodeRecipient(json: Json): Recipient {
  const { address: encoded, original } = objectOf(json);
  const address = decodeAddress(encoded);
  if (address === undefined) throw notAnEnvelope();
  if (original === undefined) return { address };
  if (typeof original !== 'string') throw notAnEnvelope();
  return { address, original };
}

/** `null` for the null reverse-path. */
export function encodeAddress(address: Address | undefined): Json {
  return address === undefined ? null : [address.localPart, address.domain];
}

/** Throws Failure('invalid') for what encodeAddress does not give. */
export function decodeAddress(json: Json | undefined): Address | undefined {
  if (json === null) return undefined;
  if (!Array.isArray(json)) throw notAnEnvelope();
  const [localPart, domain] = json as readonly Json[];
  if (json.length !== 2 || typeof localPart !== 'string' || typeof domain !== 'string') throw notAnEnvelope();
  return { localPart, domain };
}

function objectOf(json: Json | undefined): JsonObject {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw notAnEnvelope();
  return json as JsonObject;
}

function notAnEnvelope(): Failure {
  return new Failure('invalid', 'This is not an envelope');
}

/** The sender as lists and paths write it: `''` for the null reverse-path. */
export function formatSender(sender: Address | undefined): string {
  return sender === undefined ? '' : formatAddress(sender);
}

/** The path of MAIL FROM or RCPT TO with its brackets: `<>`, `<ann@acme.example>`. */
export function formatPath(address: Address | undefined): string {
  return `<${formatSender(address)}>`;
}
