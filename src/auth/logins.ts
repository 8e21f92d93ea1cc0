// Logins of one thread: by a password, by a bind, by SASL. A login stays current with the directory (standing-login.ts).
//
// Order   attempt.ts; the revision is read before the account, so that a login that the directory has overtaken is read again
// Errors  as attempt.ts

import type { Clock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import type { PublishedRevision } from '../base/ids.ts';
import type { Caller } from '../directory/caller.ts';
import type { AttributeValue } from '../directory/entry.ts';
import { attempt, type LoginAttemptParts, requirePrivacy } from './attempt.ts';
import { LOGIN_LENGTH_MAX } from './bounds.ts';
import { decideAny, decisionClient, loginRefusal } from './decision.ts';
import type { HashGate } from './hash-gate.ts';
import type { LoginClient } from './login-client.ts';
import type { LoginDirectory, LoginNow, MailLogin } from './login-directory.ts';
import { PasswordCheck } from './password-check.ts';
import { type Proof, proofOf } from './proof.ts';
import type { SaslExchange } from './sasl/mechanism.ts';
import { findMechanism, mechanisms } from './sasl/mechanisms.ts';
import { StandingLogin } from './standing-login.ts';
import { hashOfToken, isToken } from './token.ts';
import { isExpired, opensDoor, tokenWith } from './token-check.ts';

export interface LoginsParts extends LoginAttemptParts {
  readonly directory: LoginDirectory;
  /** The committed directory revision, published before any acknowledgement. Only its changes matter. */
  readonly revision: () => PublishedRevision;
  readonly gate: HashGate;
  readonly clock: Clock;
}

export interface Logins {
  /** Names of the mechanisms that this client may use now, the best first. */
  mechanisms(client: LoginClient): readonly string[];
  /** By any address of the account and its password. */
  login(client: LoginClient, name: string, password: Buffer): Promise<StandingLogin<MailLogin>>;
  /** A simple bind; the caller has refused an empty name or password. Throws `invalidDnSyntax` for what is no DN. */
  bind(client: LoginClient, dn: string, password: AttributeValue): Promise<StandingLogin<Caller>>;
  /**
   * By a token alone, for one request. An unknown one counts for the client, since it names no account; `denied` for one
   * of other services.
   */
  bearer(client: LoginClient, token: string): Promise<Caller>;
  /** Throws `not-private`, and `unsupported` for a mechanism that is not offered. */
  sasl(client: LoginClient, mechanism: string): SaslExchange<MailLogin>;
  saslBind(client: LoginClient, mechanism: string): SaslExchange<Caller>;
}

/** An account whose proof was right. */
interface Proven {
  readonly client: LoginClient;
  /** The revision before the account was read. */
  readonly readAt: PublishedRevision;
  readonly uuid: string;
  readonly proof: Proof;
}

/** Where the protocol has a command of its own for a name and a password. */
const PASSWORD = 'password';
/** RFC 6750 §2.1 */
const BEARER = 'bearer';

export function createLogins(parts: LoginsParts): Logins {
  const { directory, revision, clock } = parts;
  const passwords = new PasswordCheck(parts.gate, clock);

  async function byPassword(client: LoginClient, mechanism: string, name: string, password: Buffer) {
    const readAt = revision();
    const account = name.length > LOGIN_LENGTH_MAX ? undefined : directory.find(name);
    const proof = proofOf({ passwords, clock }, client, account, password);
    const claim = { client, mechanism, name, account, secret: password, isRight: proof.isRight };
    return { client, readAt, proof, ...(await attempt(parts, claim)) };
  }

  const logins: Logins = {
    mechanisms: ({ record }) => (record.isPrivate ? mechanisms.map(({ name }) => name) : []),
    login: async (client, name, password) => mailLogin(await byPassword(client, PASSWORD, name, password)),
    async bind(client, dn, given) {
      const password = typeof given === 'string' ? Buffer.from(given, 'utf8') : given;
      const readAt = revision();
      const account = directory.findEntry(dn);
      const proof = proofOf({ passwords, clock }, client, account, password);
      const claim = { client, mechanism: PASSWORD, name: dn, account, secret: password, isRight: proof.isRight };
      const { uuid, caller } = await attempt(parts, claim);
      return boundLogin({ client, readAt, proof, uuid, caller });
    },
    async bearer(client, token) {
      const secret = Buffer.from(token, 'utf8');
      const hash = hashOfToken(secret);
      const holder = isToken(secret) ? directory.findToken(hash) : undefined;
      const found = tokenWith(holder, hash);
      // One that has expired is nobody's.
      const account = found === undefined || isExpired(found, clock.now()) ? undefined : holder;
      const isRight = () => account !== undefined;
      const isForAnother = found !== undefined && !opensDoor(found, client.door);
      const claim = { client, mechanism: BEARER, name: undefined, account, secret, isRight, isForAnother };
      return (await attempt(parts, claim)).caller;
    },
    sasl: (client, mechanism) =>
      begin(client, mechanism).begin({
        client,
        byPassword: async (by, name, password) => mailLogin(await byPassword(client, by, name, password)),
      }),
    saslBind: (client, mechanism) =>
      begin(client, mechanism).begin({
        client,
        async byPassword(by, name, password) {
          const { mail, ...found } = await byPassword(client, by, name, password);
          return boundLogin({ ...found, caller: mail.caller });
        },
      }),
  };

  function begin(client: LoginClient, name: string) {
    requirePrivacy(client);
    const mechanism = findMechanism(name);
    if (mechanism === undefined || !logins.mechanisms(client).includes(mechanism.name))
      throw new Failure('unsupported', 'Mechanism not supported');
    return mechanism;
  }

  /** What the account is now; undefined when it may log in no more, or what it was opened with is gone. */
  function standing({ client, uuid, proof }: Proven): LoginNow | undefined {
    const now = directory.now(uuid);
    if (now === undefined || !proof.stands(now)) return undefined;
    const refusal = loginRefusal(decideAny(now.admissions, decisionClient(client)));
    if (refusal?.kind === 'unavailable') throw refusal;
    return refusal === undefined ? now : undefined;
  }

  function boundLogin({ caller, ...proven }: Proven & { readonly caller: Caller }): StandingLogin<Caller> {
    const first = { revision: proven.readAt, value: caller };
    return new StandingLogin(revision, () => standing(proven)?.caller, first, proven.proof.hasExpired);
  }

  function mailLogin({ mail, ...proven }: Proven & { readonly mail: MailLogin }): StandingLogin<MailLogin> {
    // Without an address of its own the statuses of another domain count: routing/standing.ts knows which.
    const first = mail.addresses.length > 0 ? { revision: proven.readAt, value: mail } : undefined;
    return new StandingLogin(revision, () => standing(proven)?.mail, first, proven.proof.hasExpired);
  }

  return logins;
}
