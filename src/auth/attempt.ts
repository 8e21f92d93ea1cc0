// One attempt to log in, by whatever door and mechanism: all go through here.
//
// In      who asks, as which name, the account behind it or none, and how its proof is looked at
// Out     the account, once its proof is right and the directory lets it in
// Order   private? -> may it be looked at now? -> is it right? -> is it after another has been asked, who has the say? -> may this account log in here (decision.ts)?
//         One line for the audit, whatever came
// Errors  `not-private`, `throttled`, `unauthenticated` (wrong, or no such account: the same words after the same work),
//         `denied`, only after a right proof; `unavailable` when it could not be found out
// RFC 4513 §5, RFC 9051 §11

import { asFailure, Failure, type FailureKind } from '../base/failure.ts';
import type { Admissions } from '../routing/admission.ts';
import { type Decision, decideLogin, loginRefusal } from './decision.ts';
import type { LoginAttempt, LoginGuard } from './guard.ts';
import type { LoginClient } from './login-client.ts';
import type { PasswordAccount } from './password-check.ts';

/** What is behind a name or a DN. What is found may hold more: the caller gets it back. */
export interface LoginAccount extends PasswordAccount {
  /** As people call it: its first address, or its DN. */
  readonly label: string;
  /** The statuses and rules of user and domain. */
  readonly admissions: Admissions;
}

export interface Claim<A extends LoginAccount> {
  readonly client: LoginClient;
  /** `PLAIN`, `SCRAM-SHA-256`, ...; `password` where the protocol has a command of its own for it. */
  readonly mechanism: string;
  /** As the client wrote it; undefined where a token alone says who asks. */
  readonly name: string | undefined;
  /** What all spellings of the name have in common: it is counted by this. Absent: the name. */
  readonly key?: string;
  readonly account: A | undefined;
  /** Called once, for an unknown account too: it costs the same. */
  readonly isRight: () => boolean | Promise<boolean>;
  /**
   * Another has the say about the account, and is asked before a no is said: how it is then, and how its proof is looked at.
   * Rejects where nobody answers.
   */
  readonly anew?: (() => Promise<Pick<Claim<A>, 'account' | 'isRight'>>) | undefined;
  /** Asked before a yes too; where nobody answers, what is here decides. */
  readonly isStale?: boolean;
  /** The clear password, where it came. */
  readonly secret: Uint8Array | undefined;
  /** A right proof that is not for this door. */
  readonly isForAnother?: boolean;
}

export type LoginResult = 'ok' | 'wrong' | 'status' | 'access' | 'throttled' | 'error';

/** An attempt, for the audit. */
export interface AttemptedLogin {
  readonly client: LoginClient;
  readonly mechanism: string;
  /** '' for a token alone. */
  readonly name: string;
  /** Its label; undefined where there is none. */
  readonly account: string | undefined;
  readonly result: LoginResult;
}

export interface LoginAttemptParts {
  readonly guard: LoginGuard;
  readonly audit: (login: AttemptedLogin) => void;
}

export async function attempt<A extends LoginAccount>(parts: LoginAttemptParts, claim: Claim<A>): Promise<A> {
  const { client, mechanism, name = '', account } = claim;
  requirePrivacy(client);
  let result: LoginResult | undefined;
  let label = account?.label;
  try {
    const { found, check } = await prove(parts.guard, claim);
    label = found.label;
    const decision = decideLogin(found.admissions, client);
    result = RESULT_OF[decision.result];
    const refusal = loginRefusal(decision, label);
    if (refusal !== undefined) throw refusal;
    if (claim.isForAnother === true) {
      result = 'access';
      throw new Failure('denied', 'This token is for other services');
    }
    check.letIn();
    return found;
  } catch (error) {
    result ??= RESULTS[asFailure(error).kind] ?? 'error';
    throw error;
  } finally {
    parts.audit({ client, mechanism, name, account: label, result: result ?? 'error' });
  }
}

const RESULT_OF: Readonly<Record<Decision['result'], LoginResult | undefined>> = {
  ok: 'ok',
  status: 'status',
  access: 'access',
  elsewhere: 'access',
  error: 'error',
  'not-private': undefined,
};

const RESULTS: Readonly<Partial<Record<FailureKind, LoginResult>>> = {
  unauthenticated: 'wrong',
  throttled: 'throttled',
};

/** Nothing secret is asked for, or taken, where a third party can listen. */
export function requirePrivacy({ record }: LoginClient): void {
  if (!record.isPrivate) throw new Failure('not-private', 'Encryption is required to log in');
}

function isRefused(admissions: Admissions, client: LoginClient): boolean {
  return decideLogin(admissions, client).result !== 'ok';
}

function unlessSilent(error: unknown): undefined {
  if (asFailure(error).kind !== 'unavailable') throw error;
}

interface Proved<A> {
  readonly found: A;
  readonly check: LoginAttempt;
}

async function prove<A extends LoginAccount>(guard: LoginGuard, claim: Claim<A>): Promise<Proved<A>> {
  const { client, name, key = name, isRight, secret, anew, isStale = false } = claim;
  let { account } = claim;
  const check = await guard.begin(client.record.peerAddress, key, account?.uuid);
  let right: boolean | undefined;
  try {
    right = await isRight();
    const isNo = !right || account === undefined || isRefused(account.admissions, client);
    if (anew !== undefined && (isNo || isStale)) {
      const again = await (isNo ? anew() : anew().catch(unlessSilent));
      if (again !== undefined) {
        account = again.account;
        right = await again.isRight();
      }
    }
  } catch (error) {
    // A guess that was wrong here costs what every wrong one costs: a silent authority would else make guessing free.
    if (right === false) await check.wrong(secret);
    else check.undecided();
    throw error;
  }
  if (right && account !== undefined) {
    check.right();
    return { found: account, check };
  }
  await check.wrong(secret);
  throw new Failure('unauthenticated', 'Authentication failed');
}
