// This host as our zones show it. The addresses of the configuration, else those that the listeners have.

import { type ZoneHost, zoneHost } from '../zones/records.ts';
import type { ThreadData } from './threads/parts.ts';

export function thisZoneHost(data: Pick<ThreadData, 'configuration' | 'hostnames'>): ZoneHost {
  const { address, listen } = data.configuration;
  return zoneHost(data.hostnames[0]!, address.length > 0 ? address : listen);
}
