// Rows for other hosts whose tables have moved since they were planned, or which an earlier run has planned, by a configuration
// that may have been another: recipients are resolved again when an attempt is made, and who goes elsewhere now is placed anew
// in the transaction that ends the row.
//
// In      a row and what it carries; this thread's routing
// Out     undefined: it goes where it was to go; or the outcome that counts in place of an attempt
// Errors  tables that cannot be read put the row off; nobody is refused for that
// Never   asks again whether the sender may relay: that was decided when the message was accepted
// RFC 5321 §4.5.4.1

import { asFailure } from '../base/failure.ts';
import type { QueueRowId, Revision } from '../base/ids.ts';
import { isAccepted, isTemporary } from '../base/reply.ts';
import type { RoutingCache } from '../routing/cache.ts';
import { chosenPart, partWaitedFor } from '../routing/options/part.ts';
import type { Resolution } from '../routing/resolve.ts';
import { accepted } from '../routing/route-request.ts';
import type { Target } from '../routing/targets.ts';
import { askedAgain, type LocalOperation, resultOf, unsetEvents } from './local-delivery.ts';
import { type Outcome, outcome } from './outcome.ts';
import { type PlaceParts, place } from './place.ts';
import { type Carried, carriedBy, type QueueRow } from './queue.ts';

export const REROUTE = 'transfer.reroute';

const REROUTED: Outcome = { ...outcome('delivered', '2.0.0', 'rerouted'), operation: { name: REROUTE, args: {} } };

export interface RerouteParts {
  readonly routing: Pick<RoutingCache, 'resolve'>;
  /** The last revision that has moved the tables. */
  readonly moved: Revision;
  /** The last row that this run has found at its start. */
  readonly lastOfBefore: QueueRowId;
}

export async function rerouted(parts: RerouteParts, row: QueueRow, carried: Carried): Promise<Outcome | undefined> {
  if (isFixed(carried.target)) return undefined;
  if (row.id > parts.lastOfBefore && parts.moved <= row.planned) return undefined;
  try {
    const resolution = await parts.routing.resolve(carried.origin, accepted(carried.request));
    return isSame(chosenPart(resolution, partWaitedFor(carried.target), carried.origin), carried)
      ? undefined
      : REROUTED;
  } catch (error) {
    return outcome('deferred', '4.3.0', `It cannot be looked up where this goes: ${asFailure(error).message}`);
  }
}

/**
 * A recipient of this host, where another has the say about some: that one is asked, for the transaction that resolves the row
 * again asks nobody. Undefined: it goes on there.
 */
export async function refusedAnew(
  routing: Pick<RoutingCache, 'resolve'>,
  { origin, request }: Carried,
): Promise<Outcome | undefined> {
  try {
    const { reply } = await routing.resolve(origin, accepted(request));
    if (isAccepted(reply)) return undefined;
    const { code, enhanced, text } = reply;
    return outcome(isTemporary(reply) ? 'deferred' : 'failed', enhanced, `${code} ${enhanced} ${text}`);
  } catch (error) {
    return outcome('deferred', '4.3.0', `It cannot be looked up where this goes: ${asFailure(error).message}`);
  }
}

/** An administrator has said where it goes (hold.ts): that stays so, whatever the tables say. */
function isFixed({ options }: Target): boolean {
  return options['isFixed'] === true;
}

function isSame({ targets, failures }: Pick<Resolution, 'targets' | 'failures'>, { target }: Carried): boolean {
  const [only, ...more] = targets;
  return (
    only !== undefined &&
    more.length + failures.length === 0 &&
    only.channel === target.channel &&
    only.destination === target.destination &&
    only.key === target.key
  );
}

/** Rows of one message and one sender. */
export function reroute(parts: PlaceParts): LocalOperation {
  return async (tx, { message, rows, events, at }) => {
    const carried = rows.map(carriedBy);
    const { envelope, request } = carried[0]!;
    const placed = await place(tx, parts, {
      message,
      row: undefined,
      envelope: { ...envelope, recipients: carried.map(askedAgain) },
      request: accepted(request),
      resolutions: undefined,
      refused: 'return',
      at,
      queuedAt: Math.min(...rows.map(({ createdAt }) => createdAt)),
      parts: carried.map(({ target }) => partWaitedFor(target)),
      prefix: rows[0]!.prefix,
    });
    for (const [index, { how }] of placed.results.entries()) {
      const { channel, destination, recipient } = rows[index]!;
      if (how !== 'refused' && how !== 'unset')
        events.push({ event: 'rerouted', recipient, status: `2.0.0 no longer by ${channel} to ${destination}` });
    }
    events.push(...placed.events, ...unsetEvents(rows, placed.results));
    return placed.results.map(resultOf);
  };
}
