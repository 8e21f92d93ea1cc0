// The logins of a thread, as every thread that has doors makes them.

import type { AttemptedLogin } from '../auth/attempt.ts';
import { createThrottle } from '../auth/guard.ts';
import type { HashGate } from '../auth/hash-gate.ts';
import { createKnownClients } from '../auth/known-clients.ts';
import { loginDirectory } from '../auth/login-directory.ts';
import { Logins } from '../auth/logins.ts';
import { OpenLogins } from '../auth/open-logins.ts';
import { type LearnedPassword, learnPasswordsFrom } from '../auth/password-learner.ts';
import { scramSecret } from '../auth/scram-counter.ts';
import { scramOffer } from '../auth/scram-offer.ts';
import { systemClock } from '../base/clock.ts';
import type { WriterClient } from '../database/client.ts';
import type { Reader } from '../database/operation.ts';
import type { SharedState } from '../database/shared.ts';
import type { DirectoryAuthority } from '../directory/source/authority.ts';
import { learnPassword } from '../provisioning/learn-password.ts';
import type { RoutingCache } from '../routing/cache.ts';
import type { LoginLines } from './audit.ts';
import type { Configuration } from './configuration.ts';
import type { Counters } from './counters.ts';

export interface ThreadLoginsParts {
  readonly reader: Reader;
  readonly writer: WriterClient;
  readonly routing: RoutingCache;
  readonly shared: SharedState;
  /** Who has the say about accounts that are not ours. */
  readonly authority: DirectoryAuthority;
  readonly gate: HashGate;
  readonly counters: Counters;
  /** Of the audit. */
  readonly lines: LoginLines;
  readonly configuration: Configuration;
  /** The domain of a virtual mail server's name; absent where nobody logs in by a name without a domain. */
  readonly domainOfServer?: (name: string) => string | undefined;
}

export function threadLogins(parts: ThreadLoginsParts): Logins {
  const { reader, writer, routing, shared, gate, counters, lines, authority } = parts;
  const { scram, defaultDomain } = parts.configuration.auth;
  const store = (learned: LearnedPassword) => writer.execute(learnPassword, { ...learned, now: systemClock.now() });
  return new Logins({
    scram: {
      isOffered: scramOffer(reader, scram, () => shared.revision()),
      secret: scramSecret(reader),
      learn: learnPasswordsFrom({ gate, makesKeys: scram !== 'off' }, store),
    },
    open: new OpenLogins(writer),
    domainOf({ tls, proxiedServerName }) {
      const asked = tls?.serverName ?? proxiedServerName;
      return (asked === undefined ? undefined : parts.domainOfServer?.(asked)) ?? defaultDomain;
    },
    directory: loginDirectory(reader, routing),
    authority,
    revision: () => shared.revision(),
    gate,
    clock: systemClock,
    guard: createThrottle({
      buckets: shared.loginBuckets,
      known: createKnownClients({ reader, writer, clock: systemClock }),
      clock: systemClock,
    }),
    audit(login) {
      counters.add('login', `${login.client.door} ${outcome(login)}`);
      lines.note(login);
    },
  });
}

function outcome({ result }: AttemptedLogin): string {
  return result === 'ok' ? 'accepted' : 'refused';
}
