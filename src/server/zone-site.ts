// This host as our zones show it for as long as its entry names no address: those of the configuration, else the listeners'.

import type { ZoneSite } from '../zones/settings.ts';
import type { ThreadData } from './threads/parts.ts';

export function zoneSite(data: Pick<ThreadData, 'configuration' | 'hostnames'>): ZoneSite {
  const { address, listen, dns } = data.configuration;
  return { hostname: data.hostnames[0]!, mode: dns.mode, addresses: address.length > 0 ? address : listen };
}
