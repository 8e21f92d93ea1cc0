// dns publish: what waits for a primary is tried now, and what its try has come to is said.
//
// In      a domain, or none for all that wait; whether what others have written in its place goes
// Out     published, with the sets that were left out; or why not, and that it is tried again
// Limits  WAIT_MS, then it says that it waits

import { setTimeout } from 'node:timers/promises';
import { z } from 'zod';
import { systemClock } from '../base/clock.ts';
import { Failure } from '../base/failure.ts';
import type { Reader, Writer } from '../database/operation.ts';
import { publishNow } from '../publishing/outbox-operations.ts';
import { authorityOf, type ZoneStanding } from '../zones/authority.ts';
import { conflictsOf, type ZoneConflict } from '../zones/conflicts.ts';
import { zoneNames } from '../zones/names.ts';
import { type WaitingDomain, waitingDomain, waitingDomains } from '../zones/outbox.ts';
import { pathOf } from '../zones/path.ts';
import { publishedOf } from '../zones/published.ts';
import { readZoneSettings, type ZoneSite } from '../zones/settings.ts';
import { domainOf } from './naming.ts';
import { adminOperation } from './operation.ts';
import type { OtherServersStatus } from './status.ts';

interface DnsPublishParts {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly zoneSite: ZoneSite;
  readonly otherServers: OtherServersStatus;
}

export interface DnsPublished {
  readonly domain: string;
  /** The primary's zone; null where none has the domain any more. */
  readonly zone: string | null;
  readonly server: string | null;
  /** `served`: in a zone of ours. `unreachable`: no answer; `refused`: it said no: both are tried again. */
  readonly state: 'served' | 'published' | 'unreachable' | 'refused' | 'waiting';
  /** Null: published. */
  readonly error: string | null;
  readonly conflicts: readonly ZoneConflict[];
}

const WAIT_MS = 75_000;
const LOOK_MS = 50;
const DOMAINS_MAX = 1000;

export const dnsPublish = (parts: DnsPublishParts) =>
  adminOperation(
    'dns.publish',
    z.strictObject({ domain: z.string().min(1).max(255).optional(), force: z.boolean().optional() }),
    async ({ domain, force = false }): Promise<readonly DnsPublished[]> => {
      const { reader, writer, otherServers } = parts;
      if (otherServers.provider !== undefined)
        throw new Failure(
          'unsupported',
          `${otherServers.provider.hostname} writes records of other name servers: ask there`,
        );
      const now = systemClock.now();
      if (domain !== undefined) {
        const name = domainOf(domain);
        const served = checkPublished(name, parts);
        if (served !== undefined) return [served];
        await writer.execute(publishNow, { path: pathOf(name), isForced: force, now });
        await untilTried(reader, [name]);
        return [outcomeOf(name, parts)];
      }
      if (force) throw new Failure('invalid', 'One domain at a time is forced: name it');
      const names = waitingDomains(reader, DOMAINS_MAX).map((each) => each.domain);
      if (names.length > 0) await writer.execute(publishNow, { isForced: false, now });
      await untilTried(reader, names);
      return names.map((name) => outcomeOf(name, parts));
    },
  );

/** Throws for what no primary is to have; gives what our own name server answers. */
function checkPublished(name: string, parts: DnsPublishParts): DnsPublished | undefined {
  const { reader } = parts;
  const path = pathOf(name);
  if (publishedOf(reader, path).length > 0 || waitingDomain(reader, path) !== undefined) return undefined;
  const isDomain = zoneNames(reader).find(name)?.row?.domain !== undefined;
  if (!isDomain) throw new Failure('not-found', `${name} is not a domain here`);
  const { authority, zone } = standingOf(name, parts);
  if (authority === 'updatable') return undefined;
  if (authority === 'theirs')
    throw new Failure('not-found', `No primary has a zone of ${name}: its records are for others to write`);
  return { domain: name, zone: zone ?? name, server: null, state: 'served', error: null, conflicts: [] };
}

function standingOf(name: string, { reader, zoneSite }: DnsPublishParts): ZoneStanding {
  return authorityOf(name, zoneNames(reader), readZoneSettings(reader, zoneSite));
}

async function untilTried(reader: Reader, names: readonly string[]): Promise<void> {
  const endsAt = performance.now() + WAIT_MS;
  const waits = (name: string): boolean => waitingDomain(reader, pathOf(name))?.attempts === 0;
  while (performance.now() < endsAt && names.some(waits)) await setTimeout(LOOK_MS);
}

function outcomeOf(name: string, parts: DnsPublishParts): DnsPublished {
  const { reader } = parts;
  const path = pathOf(name);
  const { zone, server } = standingOf(name, parts);
  const waiting = waitingDomain(reader, path);
  return {
    domain: name,
    zone: zone ?? null,
    server: server ?? waiting?.server ?? null,
    state: stateOf(waiting),
    error: waiting?.error ?? null,
    conflicts: conflictsOf(reader, path),
  };
}

function stateOf(waiting: WaitingDomain | undefined): DnsPublished['state'] {
  if (waiting === undefined) return 'published';
  if (waiting.error === null) return 'waiting';
  return waiting.error.startsWith('refused') ? 'refused' : 'unreachable';
}
