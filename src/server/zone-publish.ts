// The publisher of records, given what its thread has.
//
// Secrets are read from the primary's entry for each try, and kept nowhere

import { systemClock } from '../base/clock.ts';
import { publishRecords } from '../publishing/publisher.ts';
import { readZoneSettings } from '../zones/settings.ts';
import { changeSite } from './change-site.ts';
import type { PublisherParts } from './publisher-jobs.ts';
import { zoneSite } from './zone-site.ts';
import { tsigKeyOf } from './zone-transfers.ts';

export function publishAtPrimaries(parts: PublisherParts): { stop(): Promise<void> } {
  const { database, writer, log, configuration, site } = parts;
  const { reader } = database;
  const zones = zoneSite({ configuration, hostnames: [...site.hostnames] });
  return publishRecords({
    reader,
    writer,
    log,
    clock: systemClock,
    site: changeSite(site),
    settings: () => readZoneSettings(reader, zones),
    keyOf: (server) => tsigKeyOf(reader, server),
  });
}
