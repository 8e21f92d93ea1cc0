// The logins of a thread, as every thread that has doors makes them.

import type { AttemptedLogin } from '../auth/attempt.ts';
import { createThrottle } from '../auth/guard.ts';
import type { HashGate } from '../auth/hash-gate.ts';
import { createKnownClients } from '../auth/known-clients.ts';
import { loginDirectory } from '../auth/login-directory.ts';
import { createLogins, type Logins } from '../auth/logins.ts';
import { systemClock } from '../base/clock.ts';
import type { Reader, Writer } from '../database/operation.ts';
import type { SharedState } from '../database/shared.ts';
import type { RoutingCache } from '../routing/cache.ts';
import type { LoginLines } from './audit.ts';
import type { Counters } from './counters.ts';

export interface ThreadLoginsParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly routing: RoutingCache;
  readonly shared: SharedState;
  readonly gate: HashGate;
  readonly counters: Counters;
  /** Of the audit. */
  readonly lines: LoginLines;
}

export function threadLogins({ reader, writer, routing, shared, gate, counters, lines }: ThreadLoginsParts): Logins {
  return createLogins({
    directory: loginDirectory(reader, routing),
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
