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
import type { HashGate } from './hash-gate.ts';
import type { LoginClient } from './login-client.ts';
import type { LoginDirectory, MailLogin } from './login-directory.ts';
import { PasswordCheck } from './password-check.ts';
import type { SaslExchange } from './sasl/mechanism.ts';
import { findMechanism, mechanisms } from './sasl/mechanisms.ts';
import { StandingLogin } from './standing-login.ts';

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
  /** Throws `not-private`, and `unsupported` for a mechanism that is not offered. */
  sasl(client: LoginClient, mechanism: string): SaslExchange<MailLogin>;
  saslBind(client: LoginClient, mechanism: string): SaslExchange<Caller>;
}

/** Where the protocol has a command of its own for a name and a password. */
const PASSWORD = 'password';

export function createLogins(parts: LoginsParts): Logins {
  const { directory, revision } = parts;
  const passwords = new PasswordCheck(parts.gate, parts.clock);

  async function byPassword(client: LoginClient, mechanism: string, name: string, password: Buffer) {
    const readAt = revision();
    const account = name.length > LOGIN_LENGTH_MAX ? undefined : directory.find(name);
    const isRight = () => passwords.isRight(account, password);
    const claim = { client, mechanism, name, account, secret: password, isRight };
    return { readAt, ...(await attempt(parts, claim)) };
  }

  const logins: Logins = {
    mechanisms: ({ record }) => (record.isPrivate ? mechanisms.map(({ name }) => name) : []),
    login: async (client, name, password) => mailLogin(await byPassword(client, PASSWORD, name, password)),
    async bind(client, dn, given) {
      const password = typeof given === 'string' ? Buffer.from(given, 'utf8') : given;
      const readAt = revision();
      const account = directory.findEntry(dn);
      const isRight = () => passwords.isRight(account, password);
      const claim = { client, mechanism: PASSWORD, name: dn, account, secret: password, isRight };
      const { uuid, caller } = await attempt(parts, claim);
      return new StandingLogin(revision, () => directory.now(uuid)?.caller, { revision: readAt, value: caller });
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
          const { readAt, uuid, mail } = await byPassword(client, by, name, password);
          const first = { revision: readAt, value: mail.caller };
          return new StandingLogin(revision, () => directory.now(uuid)?.caller, first);
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

  function mailLogin({ readAt, uuid, mail }: Awaited<ReturnType<typeof byPassword>>): StandingLogin<MailLogin> {
    // Without an address of its own the statuses of another domain count: routing/standing.ts knows which.
    const first = mail.addresses.length > 0 ? { revision: readAt, value: mail } : undefined;
    return new StandingLogin(revision, () => directory.now(uuid)?.mail, first);
  }

  return logins;
}
