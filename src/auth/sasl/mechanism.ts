// A SASL mechanism: one file each beside this one, listed in mechanisms.ts. RFC 4422
//
// In      the client's responses, in octets
// Out     challenges, at the end the login
// Errors  `syntax` for what does not parse; those of attempt.ts

import type { ConnectionRecord } from '../../net/connection.ts';
import type { LoginClient } from '../login-client.ts';
import type { PasswordAccount } from '../password-check.ts';
import type { Proof, ProvableAccount } from '../proof.ts';
import type { StandingLogin } from '../standing-login.ts';

export type SaslStep<T> =
  | { readonly kind: 'challenge'; readonly octets: Buffer }
  /** `octets`: what the client still has to get, where the mechanism sends something with its success. */
  | { readonly kind: 'success'; readonly octets: Buffer | undefined; readonly login: StandingLogin<T> };

/** One exchange. Not to be used again after a success or a failure. */
export interface SaslExchange<T> {
  /** Undefined: the client has begun without an initial response. */
  respond(response: Buffer | undefined): Promise<SaslStep<T>>;
}

/** Who a client says it is, and how that is proved. */
export interface SaslClaim {
  readonly mechanism: string;
  /** As the client wrote it. */
  readonly name: string;
  /** Whom it wants to act for; '' for none. It must be another name of the same account. */
  readonly authzid: string;
  /** The clear password, where it came. */
  readonly secret: Buffer | undefined;
  /** Called once, for an unknown account too. `key` is one text for all spellings of the name. */
  readonly proofFor: (account: ProvableAccount | undefined, key: string) => Proof;
}

/** What a mechanism looks up and proves by; T is what the door gets. */
export interface SaslParts<T> {
  readonly client: LoginClient;
  /** The account behind a name, and one text for all spellings of the name. */
  readonly find: (name: string) => { readonly account: PasswordAccount | undefined; readonly name: string };
  readonly logIn: (claim: SaslClaim) => Promise<StandingLogin<T>>;
  /** Proved by the password in the clear, or a token in its place. */
  readonly byPassword: (given: Omit<SaslClaim, 'proofFor'> & { readonly secret: Buffer }) => Promise<StandingLogin<T>>;
  /** Whether the client was offered a mechanism. */
  readonly isOffered: (mechanism: string) => boolean;
  /** What only this connection has, by the name of the type; undefined: nothing of this type. */
  readonly channelBinding: (type: string) => Buffer | undefined;
  /** For a name without keys: the same each time. */
  readonly saltFor: (name: string) => Buffer;
  readonly nonce: () => string;
}

/** What decides whether a mechanism is offered. The connection is private. */
export interface SaslOffer {
  readonly record: ConnectionRecord;
  /** `[auth] scram`, and whether everybody has keys. */
  readonly offersScram: boolean;
}

export interface SaslMechanism {
  /** In upper case. */
  readonly name: string;
  isOffered(offer: SaslOffer): boolean;
  begin<T>(parts: SaslParts<T>): SaslExchange<T>;
}
