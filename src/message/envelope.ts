// The envelope of a message: what SMTP says of it, beside its bytes. The only type for it, and the only codec: rows of the
// queue and messages between threads hold what encodeEnvelope gives.
//
// In      values of a door, of a report, of a channel; JSON that this codec has written
// Out     the same values; Failure('invalid') for JSON that is no envelope
// In JSON an address is `[local part, domain]`, so that nothing is parsed and nothing is lost on the way.
// A key that is added here is added to both halves of the codec; envelope.test.ts takes each of them there and back.
// Keys that say what SMTP says by default are absent.
// RFC 5321 §2.3.1, RFC 6152 §2 (BODY), RFC 3461 §4 (NOTIFY ORCPT RET ENVID), RFC 6531 §3.4 (SMTPUTF8), RFC 2852 §4 (BY),
// RFC 4865 §4 (HOLDFOR HOLDUNTIL), RFC 6710 §4 (MT-PRIORITY), RFC 8689 §2 (REQUIRETLS)

import { Failure } from '../base/failure.ts';
import type { Json, JsonObject } from '../base/json.ts';
import { type Address, formatAddress } from './address.ts';

const BODY_KINDS = ['7BIT', '8BITMIME'] as const;
const RETURNED = ['FULL', 'HDRS'] as const;
const BY_MODES = ['R', 'N'] as const;
const YES = [true] as const;

/** What MAIL FROM said of the bytes; `7BIT` when it said nothing. */
export type BodyKind = (typeof BODY_KINDS)[number];

const NOTIFY_WORDS = ['SUCCESS', 'FAILURE', 'DELAY'] as const;
export type NotifyWord = (typeof NOTIFY_WORDS)[number];

/** ORCPT: the recipient as the first sender knew it. Both without xtext. */
export interface OriginalRecipient {
  readonly type: string;
  readonly address: string;
}

/** What the sender wants to be told of a recipient. RFC 3461 §4.1 §4.2 */
export interface DsnOfRecipient {
  /** What reports are wanted of; empty: of nothing. Absent: FAILURE and DELAY. */
  readonly notify?: readonly NotifyWord[];
  readonly orcpt?: OriginalRecipient;
}

export interface Recipient extends DsnOfRecipient {
  readonly address: Address;
  /** As the client wrote it, for people; absent where no client did. */
  readonly original?: string;
}

/** BY: when it has to be there, wall clock, epoch ms; by then it is returned (R), or a report of the delay is made (N). */
export interface DeliverBy {
  readonly at: number;
  readonly mode: 'R' | 'N';
  /** A report is wanted where it is relayed to a host without BY. */
  readonly trace?: true;
}

/** What MAIL FROM says beside the sender and the kind of the bytes: the same for all recipients. */
export interface MailParameters {
  /** Addresses and header fields may be UTF-8. */
  readonly isUtf8?: true;
  /** What a report of a failure has of the message. Absent: as much as the message's size allows. */
  readonly ret?: 'FULL' | 'HDRS';
  /** The sender's own name for the message, without xtext. */
  readonly envid?: string;
  /** Only over verified TLS, to hosts that know REQUIRETLS. */
  readonly requireTls?: true;
  readonly by?: DeliverBy;
  /** Nothing is tried before it; wall clock, epoch ms. */
  readonly holdUntil?: number;
  /** -9 to 9; absent: 0. */
  readonly priority?: number;
}

export interface Envelope extends MailParameters {
  /** Undefined for the null reverse-path `<>`: a failure is reported to the site postmaster. */
  readonly sender: Address | undefined;
  readonly recipients: readonly Recipient[];
  readonly body: BodyKind;
}

/** What may be written until it is given away. */
type Draft<T> = { -readonly [K in keyof T]: T[K] };

export function encodeEnvelope(envelope: Envelope): JsonObject {
  const { sender, recipients } = envelope;
  // Everything else that SMTP says is JSON as it is.
  return {
    ...(envelope as unknown as JsonObject),
    sender: encodeAddress(sender),
    recipients: recipients.map(encodeRecipient),
  };
}

export function decodeEnvelope(json: Json | undefined): Envelope {
  const { sender, recipients, body, isUtf8, ret, envid, requireTls, by, holdUntil, priority } = objectOf(json);
  if (!Array.isArray(recipients)) throw notAnEnvelope();
  const envelope: Draft<Envelope> = {
    sender: decodeAddress(sender),
    recipients: recipients.map(decodeRecipient),
    body: one(body, BODY_KINDS),
  };
  if (isUtf8 !== undefined) envelope.isUtf8 = one(isUtf8, YES);
  if (ret !== undefined) envelope.ret = one(ret, RETURNED);
  if (envid !== undefined) envelope.envid = text(envid);
  if (requireTls !== undefined) envelope.requireTls = one(requireTls, YES);
  if (by !== undefined) envelope.by = decodeDeliverBy(by);
  if (holdUntil !== undefined) envelope.holdUntil = number(holdUntil);
  if (priority !== undefined) envelope.priority = number(priority);
  return envelope;
}

function encodeRecipient(recipient: Recipient): JsonObject {
  return { ...(recipient as unknown as JsonObject), address: encodeAddress(recipient.address) };
}

function decodeRecipient(json: Json): Recipient {
  const { address: encoded, original, notify, orcpt } = objectOf(json);
  const address = decodeAddress(encoded);
  if (address === undefined) throw notAnEnvelope();
  const recipient: Draft<Recipient> = { address };
  if (original !== undefined) recipient.original = text(original);
  if (notify !== undefined) recipient.notify = decodeNotify(notify);
  if (orcpt !== undefined) recipient.orcpt = decodeOriginal(orcpt);
  return recipient;
}

function decodeNotify(json: Json): NotifyWord[] {
  if (!Array.isArray(json)) throw notAnEnvelope();
  return (json as readonly Json[]).map((event) => one(event, NOTIFY_WORDS));
}

function decodeOriginal(json: Json): OriginalRecipient {
  const { type, address } = objectOf(json);
  return { type: text(type), address: text(address) };
}

function decodeDeliverBy(json: Json): DeliverBy {
  const { at, mode, trace } = objectOf(json);
  const by: Draft<DeliverBy> = { at: number(at), mode: one(mode, BY_MODES) };
  if (trace !== undefined) by.trace = one(trace, YES);
  return by;
}

function one<T extends Json>(json: Json | undefined, allowed: readonly T[]): T {
  const found = allowed.find((value) => value === json);
  if (found === undefined) throw notAnEnvelope();
  return found;
}

function text(json: Json | undefined): string {
  if (typeof json !== 'string') throw notAnEnvelope();
  return json;
}

function number(json: Json | undefined): number {
  if (typeof json !== 'number') throw notAnEnvelope();
  return json;
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

/** Whether the sender wants a report of this; without NOTIFY: of failures and delays. RFC 3461 §4.1 */
export function wants({ notify }: DsnOfRecipient, word: NotifyWord): boolean {
  return notify === undefined ? word !== 'SUCCESS' : notify.includes(word);
}
