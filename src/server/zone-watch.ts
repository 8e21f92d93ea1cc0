// What the publisher thread does for domains that others publish: it looks at them there, and walks those that a change means
// something to.

import { systemClock } from '../base/clock.ts';
import { spreadChanges } from '../publishing/spread.ts';
import { type WatchParts, watchDomains } from '../publishing/watch.ts';
import type { PublisherParts } from './publisher-jobs.ts';
import { zoneSite } from './zone-site.ts';

export function watchOthers(parts: PublisherParts): { stop(): Promise<void> } {
  return watchDomains(watchParts(parts));
}

export function spreadToOthers(parts: PublisherParts): { stop(): Promise<void> } {
  return spreadChanges(watchParts(parts));
}

function watchParts({ configuration, database, writer, log, site, ownDns }: PublisherParts): WatchParts {
  return {
    reader: database.reader,
    writer,
    log,
    clock: systemClock,
    zoneSite: zoneSite({ configuration, hostnames: [...site.hostnames] }),
    resolver: configuration.resolver,
    ownDns,
  };
}
