// The envelope of a message: what SMTP says of it, beside its bytes. The only thing that routing looks at.
//
// RFC 5321 §2.3.1, RFC 6152 §2 (BODY), RFC 1870 (SIZE)

import { type Address, formatAddress, parseAddress } from './address.ts';

/** What MAIL FROM said of the bytes; `7BIT` when it said nothing. */
export type BodyKind = '7BIT' | '8BITMIME';

export interface Recipient {
  readonly address: Address;
  /** As the client wrote it, for the DSN's Original-Recipient and for people; undefined when nobody wrote it. */
  readonly original: string | undefined;
}

export interface Envelope {
  /** Undefined for the null reverse-path `<>`: nobody is told of a failure. */
  readonly sender: Address | undefined;
  readonly recipients: readonly Recipient[];
  readonly body: BodyKind;
}

/** The sender as tables and paths write it: `''` for the null reverse-path. */
export function formatSender(sender: Address | undefined): string {
  return sender === undefined ? '' : formatAddress(sender);
}

/** The reverse of formatSender. Throws as parseAddress does. */
export function parseSender(text: string): Address | undefined {
  return text === '' ? undefined : parseAddress(text);
}

/** The path of MAIL FROM or RCPT TO with its brackets: `<>`, `<ann@acme.example>`. */
export function formatPath(address: Address | undefined): string {
  return `<${formatSender(address)}>`;
}
