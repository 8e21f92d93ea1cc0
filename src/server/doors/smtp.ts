// The SMTP door of one thread, put together.

import { systemClock } from '../../base/clock.ts';
import type { SmtpDoor } from '../../protocols/smtp/door.ts';
import type { RoutingCache } from '../../routing/cache.ts';
import type { Intakes } from '../../store/intake.ts';
import { acceptOperation } from '../../transfer/accept.ts';
import type { ThreadParts } from '../threads/parts.ts';
import type { CountedLogin } from './logins.ts';

export interface SmtpDoorParts extends ThreadParts {
  readonly routing: RoutingCache;
  readonly intakes: Intakes;
  readonly login: CountedLogin;
  readonly arrive: SmtpDoor['arrive'];
}

export function smtpDoor(parts: SmtpDoorParts): SmtpDoor {
  const { configuration, counters, routing } = parts;
  return {
    hostname: () => routing.site.hostnames[0]!,
    limits: configuration.limits,
    clock: systemClock,
    log: parts.log,
    nextId: () => parts.ids.next(),
    revision: () => parts.shared.revision(),
    routing,
    writer: parts.writer,
    intakes: parts.intakes,
    accept: acceptOperation(routing.site),
    login: async (name, password, peer) => (await parts.login('smtp', name, password, peer)).login,
    arrive: parts.arrive,
    countReply: (listener, code) => counters.add('smtp', `${listener} ${code}`),
  };
}
