// Is this a token of the account that opens this door now: its values are looked at, no password is hashed.
//
// In      the values of waypostToken; the token's hash; who asks, by which door for which service; the wall clock
// Out     the token. Undefined for an unknown one, one for other services, and one that has expired: all are wrong

import type { AttributeValue } from '../directory/entry.ts';
import { parseTokenValue, type StoredToken, type TokenScope } from '../directory/token.ts';
import type { LoginClient, LoginDoor } from './login-client.ts';

/** What is behind a login, as far as a token is concerned. */
export interface TokenAccount {
  /** The values of waypostToken. */
  readonly tokens: readonly AttributeValue[];
}

const SCOPE_OF: Readonly<Record<LoginDoor, TokenScope>> = {
  imap: 'imap',
  pop3: 'pop',
  smtp: 'smtp',
  ldap: 'ldap',
  http: 'api',
};

/** `at`: epoch milliseconds. */
export function tokenFor(
  account: TokenAccount | undefined,
  client: Pick<LoginClient, 'door' | 'service'>,
  hash: string,
  at: number,
): StoredToken | undefined {
  const token = tokenWith(account, hash);
  return token !== undefined && opensDoor(token, client) && !isExpired(token, at) ? token : undefined;
}

export function opensDoor(
  { scopes }: StoredToken,
  { door, service = door }: Pick<LoginClient, 'door' | 'service'>,
): boolean {
  return scopes.includes(SCOPE_OF[service]);
}

export function isExpired({ expiresAt }: StoredToken, at: number): boolean {
  return expiresAt !== undefined && expiresAt <= at;
}

/** Of any scope, expired or not. */
export function tokenWith(account: TokenAccount | undefined, hash: string): StoredToken | undefined {
  for (const value of account?.tokens ?? []) {
    const token = parseTokenValue(value);
    if (token?.hash === hash) return token;
  }
  return undefined;
}
