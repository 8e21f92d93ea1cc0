// The SMTP door of one thread, put together.

import type { Clock } from '../../base/clock.ts';
import { Failure } from '../../base/failure.ts';
import type { SmtpDoor } from '../../protocols/smtp/door.ts';
import type { RoutingCache } from '../../routing/cache.ts';
import type { Intakes } from '../../store/intake.ts';
import { acceptOperation } from '../../transfer/accept.ts';
import type { ThreadParts } from '../threads/parts.ts';

export interface SmtpDoorParts extends ThreadParts {
  readonly routing: RoutingCache;
  readonly intakes: Intakes;
  readonly clock: Clock;
  readonly hostnames: readonly string[];
}

export function smtpDoor(parts: SmtpDoorParts): SmtpDoor {
  return {
    hostname: () => parts.configuration.hostname,
    limits: parts.configuration.limits,
    clock: parts.clock,
    log: parts.log,
    nextId: () => parts.ids.next(),
    revision: () => parts.shared.revision(),
    routing: parts.routing,
    writer: parts.writer,
    intakes: parts.intakes,
    accept: acceptOperation(parts.routing.site),
    login: async () => {
      throw new Failure('unauthenticated', 'Authentication failed');
    },
    arrive: undefined,
    countReply: () => {},
  };
}
