// The SMTP door of one thread, put together.

import type { Logins } from '../../auth/logins.ts';
import { systemClock } from '../../base/clock.ts';
import type { BucketKind } from '../../base/token-buckets.ts';
import { clientOf } from '../../net/client-of.ts';
import { isWithin, networksOf } from '../../net/ip-network.ts';
import type { TlsServer } from '../../net/tls.ts';
import type { SmtpDoor } from '../../protocols/smtp/door.ts';
import type { RoutingCache } from '../../routing/cache.ts';
import type { Intakes } from '../../store/intake.ts';
import { acceptBy, acceptOperation } from '../../transfer/accept-operation.ts';
import { hasRoomFor } from '../../transfer/channels/store.ts';
import { hasCustodyRoom } from '../../transfer/custody.ts';
import { placeParts } from '../../transfer/place-parts.ts';
import type { Signer } from '../../transfer/sign/signer.ts';
import { submit } from '../../transfer/submit.ts';
import { countAbroad } from '../abroad.ts';
import type { ThreadParts } from '../threads/parts.ts';

/** Recipients that a client may name in vain: a forwarder with an old list has some each hour, who tries out names has thousands. */
const REFUSED: BucketKind = { name: 'refused', size: 300, perMinute: 5 };

export interface SmtpDoorParts extends ThreadParts {
  readonly tls: TlsServer;
  readonly routing: RoutingCache;
  readonly intakes: Intakes;
  readonly signer: Signer;
  readonly logins: Logins;
  readonly arrive: SmtpDoor['arrive'];
  readonly admit: SmtpDoor['admit'];
}

/** What replies of this listener are counted as. The text is made once: there are four replies a message. */
function repliesOf(listener: string): string {
  let name = REPLIES.get(listener);
  if (name === undefined) {
    name = `smtp ${listener}`;
    REPLIES.set(listener, name);
  }
  return name;
}

const REPLIES = new Map<string, string>();

export function smtpDoor(parts: SmtpDoorParts): SmtpDoor {
  const { configuration, counters, routing } = parts;
  const { useBuckets } = parts.shared;
  const peers = networksOf(configuration.smtp.xclient);
  const submitParts = {
    routing,
    revision: () => parts.shared.routingRevision(),
    clock: systemClock,
    commit: acceptBy(parts.writer, acceptOperation(placeParts(routing.site))),
  };
  return {
    hostname: (record) => parts.tls.nameFor(record),
    tls: parts.tls,
    limits: configuration.limits,
    clock: systemClock,
    log: parts.log,
    nextId: () => parts.ids.next(),
    routing,
    intakes: parts.intakes,
    signer: parts.signer,
    submit: (submission) => submit(submitParts, submission),
    logins: parts.logins,
    speaksForOthers: ({ listener, peerAddress }) =>
      listener !== 'lmtp' && peers.length > 0 && isWithin(peerAddress, peers),
    admit: parts.admit,
    arrive: parts.arrive,
    maySendAbroad: countAbroad(useBuckets),
    hasCustodyRoom: (domain, octets) => hasCustodyRoom(parts.database.reader, domain, octets),
    hasRoom: (targets, octets) => targets.some((target) => hasRoomFor(parts.database.reader, target, octets)),
    mayRefuse: (peer) => useBuckets.take(useBuckets.bucket(REFUSED, clientOf(peer)), systemClock.monotonic()),
    countReply: (listener, code) => counters.add(repliesOf(listener), code),
  };
}
