// What a client shows for being the account: its password, or a token that stands for it at some doors.
//
// In      the octets that came as the password. Those of a token's form are looked up as one, and are never hashed
// Out     whether they are right; and whether a session that they opened may go on
// A password of the form of a token is therefore not taken as a password.

import type { Clock } from '../base/clock.ts';
import { isScramKeys } from '../directory/scram-values.ts';
import type { DirectoryAuthority } from '../directory/source/authority.ts';
import type { LoginClient } from './login-client.ts';
import type { PasswordAccount, PasswordCheck } from './password-check.ts';
import { hashOfToken, isToken } from './token.ts';
import { type TokenAccount, tokenFor } from './token-check.ts';

export interface ProvableAccount extends PasswordAccount, TokenAccount {}

export interface Proof {
  /** For an unknown account too: it costs the same. */
  isRight(): boolean | Promise<boolean>;
  /** Whether it is still the account's, which is as it is now. */
  stands(account: TokenAccount): boolean;
  /** What it has opened goes on when the password changes: a token stands for itself. */
  readonly outlivesPassword?: boolean;
  /** Milliseconds until it is worth nothing, none or fewer once it is; absent where that never comes. */
  readonly msLeft?: () => number;
}

interface ProofParts {
  readonly passwords: PasswordCheck;
  readonly clock: Clock;
  /** Where accounts may be others'. */
  readonly authority?: Pick<DirectoryAuthority, 'binds'> | undefined;
}

interface Shown {
  readonly client: LoginClient;
  /** One text for all spellings of the name that was given. */
  readonly name: string;
  readonly account: ProvableAccount | undefined;
  readonly secret: Uint8Array;
}

export function proofOf({ passwords, clock, authority }: ProofParts, { client, name, account, secret }: Shown): Proof {
  if (!isToken(secret)) {
    const isHere = () => passwords.isRight(account, name, secret);
    const isRight = async () => (await isHere()) || (await isRightThere(authority, account, secret));
    return { isRight, stands: () => true };
  }
  const hash = hashOfToken(secret);
  const token = tokenFor(account, client, hash, clock.now());
  return {
    outlivesPassword: true,
    isRight: () => token !== undefined,
    stands: (now) => tokenFor(now, client, hash, clock.now()) !== undefined,
    ...(token?.expiresAt === undefined ? {} : { msLeft: () => token.expiresAt! - clock.now() }),
  };
}

/** For one login, with one password: who was refused there is not tried there again. */
export function askingOnce(authority: ProofParts['authority']): ProofParts['authority'] {
  if (authority === undefined) return undefined;
  let refused: string | undefined;
  return {
    async binds(dn, password) {
      if (dn === refused) return false;
      const isRight = await authority.binds(dn, password);
      if (!isRight) refused = dn;
      return isRight;
    },
  };
}

/** Where its directory does not show a hash, it is asked itself. */
async function isRightThere(
  authority: ProofParts['authority'],
  account: ProvableAccount | undefined,
  secret: Uint8Array,
): Promise<boolean> {
  if (authority === undefined || account?.dnAtSource === undefined || secret.length === 0) return false;
  if (!account.passwords.every(isScramKeys)) return false;
  return authority.binds(account.dnAtSource, secret);
}
