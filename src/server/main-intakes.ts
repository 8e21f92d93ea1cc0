// The way in for messages that the main thread takes itself, over HTTP and the admin socket: a segment of its own, as each
// thread has.
//
// States  open -> closed, before the writer is: what was taken until then is on disk

import type { Clock } from '../base/clock.ts';
import { Ids, type MessageId } from '../base/ids.ts';
import type { Log } from '../base/log.ts';
import type { WriterClient } from '../database/client.ts';
import type { Reader } from '../database/operation.ts';
import type { SharedState } from '../database/shared.ts';
import type { RoutingCache } from '../routing/cache.ts';
import { createIntakes, type Intakes } from '../store/intake.ts';
import { acceptBy, acceptOperation } from '../transfer/accept-operation.ts';
import { placeParts } from '../transfer/place-parts.ts';
import type { Signer } from '../transfer/sign/signer.ts';
import { type Submission, type Submitted, submit } from '../transfer/submit.ts';
import type { Configuration } from './configuration.ts';
import { createSigner } from './signer.ts';
import { threadSegments } from './threads/parts.ts';
import { zoneSite } from './zone-site.ts';

/** Number of the main thread. */
const MAIN = 0;

export interface MainIntakes {
  readonly intakes: Intakes;
  readonly signer: Signer;
  readonly nextId: () => MessageId;
  readonly submit: (submission: Submission) => Promise<Submitted>;
  /** Resolves when the segment is closed; nothing may be taken any more. */
  readonly close: () => Promise<void>;
}

export interface MainIntakeParts {
  readonly configuration: Configuration;
  readonly shared: SharedState;
  readonly hostnames: readonly string[];
  readonly log: Log;
  readonly reader: Reader;
  readonly writer: WriterClient;
  readonly routing: RoutingCache;
  readonly clock: Clock;
  readonly fatal: (text: string) => void;
}

export function openMainIntakes(parts: MainIntakeParts): MainIntakes {
  const { shared, writer, routing, clock } = parts;
  const ids = new Ids(shared.ids, 0, clock.now);
  const { host, segments } = threadSegments({ ...parts, ids }, MAIN, (error) => parts.fatal(error.message));
  const commit = acceptBy(writer, acceptOperation(placeParts(routing.site)));
  const submitParts = { routing, revision: () => shared.routingRevision(), clock, commit };
  return {
    intakes: createIntakes(host, segments),
    signer: createSigner({ reader: parts.reader, site: zoneSite(parts), routing, log: parts.log }),
    nextId: () => ids.next<MessageId>(),
    submit: (submission) => submit(submitParts, submission),
    close: () => segments.close(),
  };
}
