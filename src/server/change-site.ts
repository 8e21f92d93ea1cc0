// What a change of the directory has to know of this host.

import type { ChangeSite } from '../provisioning/write-options.ts';
import type { Site } from '../routing/resolve.ts';

export function changeSite(site: Site): ChangeSite {
  return { hostname: site.hostnames[0] ?? 'localhost', mode: site.dnsMode ?? 'embedded' };
}
