// Which MTA-STS policy a domain has, as the directory says it at the moment of the question.

import type { Reader } from '../database/operation.ts';
import { mtaStsPolicy } from '../zones/kinds.ts';
import { zoneNames } from '../zones/names.ts';
import { readZoneSettings, type ZoneSite } from '../zones/settings.ts';

/** `domain` in lower case; one row, and the hosts where the domain wants a policy. */
export function mtaStsPolicies(reader: Reader, site: ZoneSite): (domain: string) => string | undefined {
  const names = zoneNames(reader);
  return (domain) =>
    reader.snapshot(() => {
      const row = names.find(domain)?.row;
      return row?.mtaSts === undefined ? undefined : mtaStsPolicy(row, readZoneSettings(reader, site));
    });
}
