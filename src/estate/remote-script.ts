// What another host's SMTP server is told to answer, and what it has taken.

import type { ReceivedMessage } from './received.ts';

/**
 * `250 2.1.5 ok`: a reply without its last CRLF; `close`: the connection ends without a word, and `taken` says that what was sent
 * counts as taken; `silence`: nothing is said.
 */
export type RemoteAnswer = string | { readonly close: true; readonly taken?: true } | { readonly silence: true };
export const CLOSE: RemoteAnswer = { close: true };
export const SILENCE: RemoteAnswer = { silence: true };

/** A list is said in turn, its last one from then on; a function that says nothing leaves the usual answer. */
type Answers = RemoteAnswer | readonly RemoteAnswer[] | ((argument: string) => RemoteAnswer | undefined);

export interface RemoteHostScript {
  readonly greeting?: Answers;
  /** Asked with `''` in the clear, with the protocol in TLS. */
  readonly ehlo?: Answers;
  /**
   * Offers STARTTLS, with this certificate; `broken`: what stands behind the 220 is no TLS;
   * `mute`: nothing does.
   */
  readonly tls?: { readonly key: string; readonly cert: string } | 'broken' | 'mute';
  readonly starttls?: Answers;
  readonly helo?: Answers;
  readonly mail?: Answers;
  /** Asked with the address. */
  readonly rcpt?: Answers;
  readonly data?: Answers;
  /** The reply to the final dot; asked with the message as latin1. */
  readonly dot?: Answers;
  readonly quit?: Answers;
  /** Asked with each line of AUTH, decoded where it is base64; `235` where nothing is said. */
  readonly auth?: Answers;
  /** What EHLO offers, when `ehlo` is not given; where it is absent, what the first script said. */
  readonly extensions?: readonly string[];
  /** Do not read the data. */
  readonly deaf?: boolean;
}

export interface RemoteMessage extends ReceivedMessage {
  readonly sender: string;
  /** As in MAIL, without the path. */
  readonly parameters: string;
  /** Those that got a 2xx. */
  readonly recipients: readonly string[];
  /** All of it, unstuffed, an octet a character. */
  readonly data: string;
  /** `TLSv1.3`; undefined: it came in the clear. */
  readonly tls: string | undefined;
  /** Which one of all, from 1 on. */
  readonly connection: number;
}

export type ScriptStep = Exclude<keyof RemoteHostScript, 'tls' | 'extensions' | 'deaf'>;
