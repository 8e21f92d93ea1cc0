// The sources of mail domains in the main thread: what wakes them.

import { ZoneSources } from '../provisioning/zone-sources.ts';
import type { MainParts } from './main-parts.ts';
import type { NotifiedReport } from './zone-notified.ts';

type Parts = Pick<
  MainParts,
  'configuration' | 'hostnames' | 'log' | 'clock' | 'reader' | 'writer' | 'gate' | 'supervisor'
>;

/** Looks at nothing before its `read` is called. */
export function keepZoneSources({ configuration, supervisor, ...parts }: Parts): ZoneSources {
  const sources = new ZoneSources({
    ...parts,
    makesKeys: configuration.auth.scram !== 'off',
    isElsewhere: configuration.provider !== undefined,
  });
  parts.writer.onNotification((notification) => {
    if (notification.kind === 'zone-sources') sources.read();
  });
  supervisor.onReport((_, report) => {
    if (report.kind === 'notified') sources.notified((report as NotifiedReport).zone);
  });
  return sources;
}
