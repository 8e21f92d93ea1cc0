// A SASL mechanism: one file each beside this one, listed in mechanisms.ts. RFC 4422
//
// In      the client's responses, in octets
// Out     challenges, at the end the login
// Errors  `syntax` for what does not parse; those of attempt.ts

import type { LoginClient } from '../login-client.ts';
import type { StandingLogin } from '../standing-login.ts';

export type SaslStep<T> =
  | { readonly kind: 'challenge'; readonly octets: Buffer }
  /** `octets`: what the client still has to hear, where the mechanism says something with its success. */
  | { readonly kind: 'success'; readonly octets: Buffer | undefined; readonly login: StandingLogin<T> };

/** One exchange. Not to be used again after a success or a failure. */
export interface SaslExchange<T> {
  /** Undefined: the client has begun without an initial response. */
  respond(response: Buffer | undefined): Promise<SaslStep<T>>;
}

/** What a mechanism looks up and proves by; T is what the door gets. */
export interface SaslParts<T> {
  readonly client: LoginClient;
  readonly byPassword: (mechanism: string, name: string, password: Buffer) => Promise<StandingLogin<T>>;
}

export interface SaslMechanism {
  /** In upper case. */
  readonly name: string;
  begin<T>(parts: SaslParts<T>): SaslExchange<T>;
}
