// queue reroute: where rows go is asked again, or said by the administrator: a channel to other hosts, and perhaps a host.

import { z } from 'zod';
import { asciiLower } from '../../base/characters.ts';
import { Failure } from '../../base/failure.ts';
import type { RoutingCache } from '../../routing/cache.ts';
import { channelNamed } from '../../routing/channels.ts';
import { formatHops, parseHop } from '../../routing/destination.ts';
import { takesToHosts } from '../../routing/targets.ts';
import { type FixedTo, rerouteRows } from '../../transfer/hold.ts';
import { adminOperation } from '../operation.ts';
import { changeChosen, chosen, type ManagedQueue, type QueueParts } from './selected.ts';

interface RerouteParts extends QueueParts {
  readonly routing: RoutingCache;
}

export const queueReroute = (parts: RerouteParts) =>
  adminOperation(
    'queue.reroute',
    /** `to`: CHANNEL or CHANNEL:HOST. */
    z.strictObject({ ...chosen, to: z.string().min(1).max(600).optional() }),
    async ({ to: written, ...asked }): Promise<ManagedQueue> => {
      const { writer, clock } = parts;
      const to = written === undefined ? {} : { to: fixedTo(parts, written) };
      return changeChosen(parts, asked, (rows) => writer.execute(rerouteRows, { rows, at: clock.now(), ...to }));
    },
  );

function fixedTo({ routing }: RerouteParts, written: string): FixedTo {
  const colon = written.indexOf(':');
  const name = asciiLower(colon < 0 ? written : written.slice(0, colon));
  const row = channelNamed(routing.settings(), name);
  if (row === undefined) throw new Failure('not-found', `there is no channel ${name}`);
  if (!takesToHosts(row)) throw new Failure('invalid', `${name} is no channel to other hosts`);
  const { key: channel, daemon } = row;
  if (colon < 0) return daemon === undefined ? { channel } : { channel, destination: daemon };
  const hop = parseHop(written.slice(colon + 1));
  if (hop === undefined) throw new Failure('invalid', `${written.slice(colon + 1)} is no host`);
  return { channel, destination: formatHops([hop]) };
}
